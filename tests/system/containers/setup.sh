#!/bin/sh
# setup.sh - Docker's programs for the tests with containers, which start a dockerd of their own. Where Docker is not
# there yet its services are not started, neither now nor when the machine starts. Never fails: the tests say what is
# missing and are skipped.
cd "$(dirname "$0")" || exit 1
has() { command -v "$1" > /dev/null; }

wanted=
has mmdebstrap || wanted="$wanted mmdebstrap"
has dockerd || wanted="$wanted docker.io"
has docker-compose || docker compose version > /dev/null 2>&1 || wanted="$wanted docker-compose"
[ -n "$wanted" ] || exit 0
services=
has dockerd || services="docker.service docker.socket containerd.service"
# shellcheck disable=SC2086
if ! ../../../debian-packages.sh $wanted; then
    echo "containers: the tests with nodes as containers will be skipped, not installed:$wanted" >&2
    exit 0
fi
if [ -n "$services" ]; then
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    # shellcheck disable=SC2086
    $as_root systemctl --quiet disable $services 2> /dev/null || true
fi
