#!/bin/sh
# setup.sh VENV - a virtual environment of its own with Ansible and the collection openstack.cloud.
# PyPI has the collection only inside the package "ansible", of which the other 600 MB are not wanted.
set -eu
mkdir -p "$1"
venv=$(cd "$1" && pwd)
cd "$(dirname "$0")"
[ -x "$venv/bin/python" ] || "${PYTHON:-/usr/bin/python3}" -m venv "$venv"
echo "setup: Ansible into $venv"
"$venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r requirements.lock
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
"$venv/bin/pip" download -q --disable-pip-version-check --no-deps --require-hashes -d "$wheels" -r collection.lock
"$venv/bin/python" - "$wheels" "$venv/collections" <<'END'
import sys, zipfile
from pathlib import Path
(wheel,) = Path(sys.argv[1]).glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    wanted = [name for name in archive.namelist() if name.startswith("ansible_collections/openstack/")]
    archive.extractall(sys.argv[2], wanted)
END
