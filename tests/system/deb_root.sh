#!/bin/bash
# deb_root.sh FOLDER COMMAND...: run COMMAND as root in a copy of this machine that is forgotten when it ends.
# Its files are a layer over the machine's (overlayfs on a tmpfs); /run, processes and network are its own.
set -eu
folder=$1
shift
exec unshare --mount --pid --net --uts --fork --kill-child bash -eu -c '
    folder=$1
    shift
    mount --make-rprivate /
    mount -t tmpfs tmpfs "$folder"
    mkdir "$folder"/{upper,work,root}
    mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
    cd "$folder/root"
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount -t tmpfs -o mode=755 tmpfs run
    mount --rbind /dev dev
    mkdir -p run/netns run/openvswitch run/lock
    mount -t tmpfs tmpfs var/lib/openvswitch 2> /dev/null || true
    ip link set lo up
    rm -f var/lib/man-db/auto-update # or each package that comes or goes has all manual pages of the machine indexed
    exec chroot . "$@"
' bash "$folder" "$@"
