#!/bin/busybox sh
# The virtual machine's first process: this machine's root, read-only through virtiofs, under a tmpfs overlay.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
while read -r module; do $b insmod "/mod/$module"; done < /mod/order
$b mount -t virtiofs -o ro root /lower
$b mount -t tmpfs -o size=80% tmpfs /upper
$b mkdir /upper/u /upper/w
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/u,workdir=/upper/w overlay /new
$b mount -t tmpfs tmpfs /new/run
$b mkdir -p /new/run/kernelvm
$b mount -t virtiofs job /new/run/kernelvm
for folder in proc sys dev; do $b mount --move /$folder /new/$folder; done
exec $b switch_root /new /bin/bash /run/kernelvm/guest.sh
