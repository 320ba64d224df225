#!/bin/sh
# setup.sh VENV - Debian packages (with sudo where not root), a virtual environment with the pinned libraries, the project.
set -eu
cd "$(dirname "$0")"
venv=${1:-.venv}
python=${PYTHON:-/usr/bin/python3}

./debian-packages.sh $(cat debian-packages.txt)

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "setup: Python libraries into $venv"
"$venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r requirements.lock
"$venv/bin/pip" install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
# Bytecode now: a daemon or a nebulactl call that has to compile its libraries first takes twice as long to start.
"$venv/bin/python" -m compileall -q -j 0 "$venv/lib" nebula runtime controller agent cli lab || true
