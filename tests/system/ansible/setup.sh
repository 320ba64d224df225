#!/bin/sh
# setup.sh TOOLS VENV - a virtual environment of its own with Ansible and the collection openstack.cloud, by the uv and
# pip in TOOLS. PyPI has the collection only inside the package "ansible", of which the other 600 MB are not wanted.
set -eu
mkdir -p "$2"
tools=$(cd "$1" && pwd) venv=$(cd "$2" && pwd)
cd "$(dirname "$0")"
[ -x "$venv/bin/python" ] || "$tools/python" -m venv --without-pip "$venv"
echo "setup: Ansible into $venv"
../../../libraries.sh "$tools" "$venv" requirements.lock
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
"$tools/pip" download -q --disable-pip-version-check --no-deps --require-hashes -d "$wheels" -r collection.lock
"$venv/bin/python" - "$wheels" "$venv/collections" <<'END'
import sys, zipfile
from pathlib import Path
(wheel,) = Path(sys.argv[1]).glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    wanted = [name for name in archive.namelist() if name.startswith("ansible_collections/openstack/")]
    archive.extractall(sys.argv[2], wanted)
END
"$venv/bin/python" -m compileall -q -j 0 "$venv/lib" || true
