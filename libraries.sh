#!/bin/sh
# libraries.sh TOOLS VENV LOCK - what LOCK pins into the virtual environment VENV, by the tools in TOOLS: uv, which asks for a
# fifth of pip's processor time, or pip where uv gets none, as pip's settings (pip.conf, PIP_INDEX_URL) are not uv's.
set -eu
UV_PYTHON_DOWNLOADS=never "$1/uv" pip install -q --python "$2/bin/python" --require-hashes -r "$3" || {
    echo "setup: uv did not get the libraries, pip tries to"
    "$1/pip" --python "$2/bin/python" install -q --disable-pip-version-check --require-hashes -r "$3"
}
