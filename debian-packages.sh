#!/bin/sh
# debian-packages.sh PACKAGE... - install the Debian packages that are missing, with sudo where not root. None of their
# daemons is started.
set -eu
missing=
for package in "$@"; do
    dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    echo "setup: installing Debian packages:$missing"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "setup: run as root: apt-get install$missing" >&2; exit 1; }
        as_root=sudo
    fi
    # A policy that refuses starts, for the time of the installation only: the machine's own Open vSwitch
    # daemons are not wanted by a lab, and one that is there already is left as it is.
    $as_root sh -eu -c '
        policy=/usr/sbin/policy-rc.d
        if [ ! -e $policy ]; then
            printf "#!/bin/sh\nexit 101\n" > $policy
            chmod +x $policy
            trap "rm -f $policy" EXIT
        fi
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update
        apt-get -qq install -y --no-install-recommends "$@" >/dev/null
    ' sh $missing
fi
