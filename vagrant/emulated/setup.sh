#!/bin/sh
# setup.sh - the Debian packages that box.sh and libvirt.sh need. No service of them is needed: libvirt.sh has its own.
cd "$(dirname "$0")" || exit 1
wanted="vagrant vagrant-libvirt libvirt-daemon-system libvirt-clients dnsmasq-base qemu-system-x86 qemu-utils"
wanted="$wanted mmdebstrap e2fsprogs fdisk grub-pc-bin grub-common rsync"
# Without systemd as the machine's init: libvirt-daemon-system would bring it.
[ -d /run/systemd/system ] || wanted="$wanted libvirt-daemon-system-sysv"
# shellcheck disable=SC2086
exec ../../debian-packages.sh $wanted
