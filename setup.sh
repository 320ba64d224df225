#!/bin/sh
# setup.sh VENV - the pinned libraries and the project into a virtual environment that tools.sh made.
set -eu
cd "$(dirname "$0")"
venv=${1:-.venv}

echo "setup: Python libraries into $venv"
./libraries.sh "$venv/bin" "$venv" requirements.lock
"$venv/bin/uv" pip install -q --offline --python "$venv/bin/python" --no-deps --no-build-isolation -e .
# Bytecode now: a daemon or a nebulactl call that has to compile its libraries first takes twice as long to start.
"$venv/bin/python" -m compileall -q -j 0 "$venv/lib" nebula runtime controller agent cli lab || true
