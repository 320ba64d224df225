#!/bin/sh
# tools.sh VENV - Debian packages (with sudo where not root), a virtual environment, and in it uv, which gets the rest.
set -eu
cd "$(dirname "$0")"
venv=${1:-.venv}

./debian-packages.sh $(cat debian-packages.txt)
[ -x "$venv/bin/pip" ] || "${PYTHON:-/usr/bin/python3}" -m venv "$venv"
sed -n '/^uv==/,/[^\\]$/p' requirements.lock > "$venv/uv.lock"
"$venv/bin/pip" install -q --disable-pip-version-check --no-deps --require-hashes -r "$venv/uv.lock"
