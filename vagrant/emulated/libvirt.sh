#!/bin/bash
# libvirt.sh - libvirt in namespaces of its own, for Vagrant with emulated machines. Needs root, but no KVM, no systemd.
#   libvirt.sh start          libvirtd and virtlogd; their bridges, rules, images and settings are theirs alone
#   libvirt.sh run CMD...     a command (vagrant, virsh) beside them, with a folder of boxes and machines of its own
#   libvirt.sh stop           they end, and all machines with them; the boxes stay in $NEBULA_EMULATED
# The machine's network, /etc/libvirt, /var/lib/libvirt, /run/libvirt and ~/.vagrant.d are left as they are.
set -euo pipefail
home=${NEBULA_EMULATED:-/var/tmp/nebula-vagrant}
state=$home/libvirt
export LIBVIRT_DEFAULT_URI=qemu:///system

first() { # the host's number of the first process in there, which lives as long as the namespaces
    local outer
    outer=$(cat "$state/pid" 2> /dev/null) && [ -e "/proc/$outer" ] || return 1
    tr -d ' ' < "/proc/$outer/task/$outer/children"
}

enter() { # CMD...
    local inner
    inner=$(first) || { echo "libvirt.sh: not started" >&2; exit 1; }
    exec nsenter --target "$inner" --net --mount --pid --wdns="$PWD" "$@"
}

inside() { # the first process
    mount --bind "$state/etc" /etc/libvirt
    mount --bind "$state/lib" /var/lib/libvirt
    mount --bind "$state/run" /run/libvirt
    ip link set lo up
    sysctl -qw net.ipv4.ip_forward=1
    virtlogd -d -p "$state/run/virtlogd.pid"
    libvirtd -d -p "$state/run/libvirtd.pid"
    until virsh version > /dev/null 2>&1; do sleep 0.2; done
    touch "$state/ready"
    trap exit TERM
    sleep infinity &
    wait
}

start() {
    ! first > /dev/null || { echo "libvirt.sh: started already; \`make emulated-down\` ends it" >&2; exit 1; }
    rm -rf "$state"
    mkdir -p "$state"/etc "$state"/lib/images "$state"/run /run/libvirt /var/lib/libvirt
    cp -a /etc/libvirt/. "$state/etc/"
    # As root, as nothing of the machine is theirs; there may be neither cgroup controllers nor a security driver.
    cat >> "$state/etc/qemu.conf" << 'CONF'
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
remember_owner = 0
CONF
    setsid unshare --net --mount --pid --fork --kill-child --mount-proc "$0" inside < /dev/null > "$state/log" 2>&1 &
    echo $! > "$state/pid"
    for _ in $(seq 150); do
        [ ! -e "$state/ready" ] || return 0
        sleep 0.2
    done
    cat "$state/log" >&2
    stop
    exit 1
}

stop() {
    local outer
    outer=$(cat "$state/pid" 2> /dev/null) || return 0
    kill -KILL "$outer" 2> /dev/null || true # and with it the first process, and with that all others in there
    while [ -e "/proc/$outer" ]; do sleep 0.1; done
    rm -rf "$state" "$home/machines"
    rmdir /run/libvirt 2> /dev/null || true
}

case ${1:-} in
    start) start ;;
    inside) inside ;;
    run)
        shift
        export VAGRANT_HOME=$home/vagrant VAGRANT_DOTFILE_PATH=$home/machines VAGRANT_DEFAULT_PROVIDER=libvirt
        export NEBULA_BOX=nebula/emulated NEBULA_DRIVER=qemu
        enter "$@"
        ;;
    stop) stop ;;
    *) sed -n '2,5s/^# //p' "$0" >&2; exit 2 ;;
esac
