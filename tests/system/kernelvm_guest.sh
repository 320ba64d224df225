#!/bin/bash
# The virtual machine's init after the switch of roots: what a booted system has, the modules, then the job; then off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
job=/run/kernelvm
mkdir -p /dev/pts /dev/shm /run/lock /run/netns /lib/modules
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -sfn /proc/self/fd /dev/fd
chmod 0666 /dev/net/tun 2>/dev/null
. $job/environment
mount --bind "$KERNELVM_MODULES" /lib/modules
hostname kernelvm
ip link set lo up
modprobe -a $KERNELVM_LOAD 2>/dev/null
[ -e /dev/net/tun ] && chmod 0666 /dev/net/tun
for port in /sys/class/virtio-ports/*; do
    [ "$(cat "$port/name")" = out ] && out=/dev/${port##*/}
done
cd "$KERNELVM_FOLDER" || cd /
read -r up _ < /proc/uptime
echo "$up" > $job/boot_s
# ovs-vswitchd 3.1 counts no processors while the monotonic clock is below 10 s, starts no upcall handler, and passes
# no packet in the kernel datapath. (A time namespace is no way out: the kernel notes a flow's last use by its own clock,
# so that ovs-vswitchd, by another, takes each flow for long unused and deletes it every half second.)
while [ "${up%.*}" -lt 10 ]; do
    sleep 0.5
    read -r up _ < /proc/uptime
done
bash $job/command.sh < /dev/null > "$out" 2>&1
echo $? > $job/status
sync
echo o > /proc/sysrq-trigger
sleep 60
