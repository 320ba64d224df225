#!/bin/bash
# box.sh OUT.box [PACKAGE.deb...] - a box for Vagrant's libvirt provider, made of Debian packages of this machine's
# package sources.
#
# Debian 12 as the public boxes have it (sshd, sudo, rsync, the user vagrant with Vagrant's well-known key), the cloud
# kernel, and what our packages depend on; with PACKAGE.deb... these as well. Needs root, no KVM, no loop device and no
# mount: mke2fs fills the file system, GRUB's two images are written before the partition. A box that was made of the
# same stays.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:?usage: box.sh OUT.box [PACKAGE.deb...]}")
shift
controls=("$here"/../../deb/debian/*/control)
made_of=$(cat "$0" "${controls[@]}" "$@" | sha256sum)
if [ -e "$out" ] && [ "$made_of" = "$(cat "$out.made-of" 2> /dev/null)" ]; then exit 0; fi

sources=/etc/apt/sources.list.d/debian.sources
[ -e $sources ] || sources=/etc/apt/sources.list
key=$(dpkg -L vagrant | sed -n '/\/keys\/vagrant\.pub$/p')
depends=$(sed -n 's/^Depends: //p' "${controls[@]}" | tr ',' '\n' | sed 's/(.*//; s/ //g' | grep -v -e '^nebula' -e '{' | sort -u)
system="linux-image-cloud-amd64 systemd-sysv udev dbus openssh-server sudo ca-certificates ifupdown isc-dhcp-client
        rsync kmod python3 curl iputils-ping tcpdump"
packages=$(echo $system $depends | tr ' ' ',')

mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$(dirname "$out")/box.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir "$work/ours"
[ $# = 0 ] || cp "$@" "$work/ours"

# An initramfs with what this very machine boots with, not with all there is: emulation unpacks slowly.
cat > "$work/early" << 'HOOK'
set -eu
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
echo MODULES=list > "$1/etc/initramfs-tools/conf.d/nebula"
printf 'virtio_pci\nvirtio_blk\nvirtio_net\next4\n' > "$1/usr/share/initramfs-tools/modules.d/nebula"
HOOK
cat > "$work/late" << 'HOOK'
set -eu
root=$1 key=$2 ours=$3
if [ -n "$(ls "$ours")" ]; then
    cp -r "$ours" "$root/tmp/ours"
    chroot "$root" sh -c 'dpkg --install /tmp/ours/*.deb'
    rm -r "$root/tmp/ours"
    (cd "$ours" && sha256sum *.deb) > "$root/etc/nebula/installed" # what provision.sh asks
fi
chroot "$root" useradd --create-home --shell /bin/bash vagrant
echo 'vagrant:vagrant' | chroot "$root" chpasswd
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/vagrant"
chmod 440 "$root/etc/sudoers.d/vagrant"
install -d -m 700 "$root/home/vagrant/.ssh"
install -m 600 "$key" "$root/home/vagrant/.ssh/authorized_keys"
chroot "$root" chown -R vagrant:vagrant /home/vagrant/.ssh
echo box > "$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 box\n' > "$root/etc/hosts"
echo '/dev/vda1 / ext4 defaults,noatime 0 1' > "$root/etc/fstab"
# Vagrant writes what it configures below the first one, and its own devices are named eth0, eth1, ...
printf 'source /etc/network/interfaces.d/*\nauto lo\niface lo inet loopback\nauto eth0\niface eth0 inet dhcp\n' \
    > "$root/etc/network/interfaces"
printf 'UseDNS no\nGSSAPIAuthentication no\n' > "$root/etc/ssh/sshd_config.d/vagrant.conf"
: > "$root/etc/machine-id"
# No package source: what is not in the box is not to be had.
rm -rf "$root"/etc/apt/sources.list* "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*
mkdir -p "$root/etc/apt/sources.list.d"
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    dpkg-db-backup.timer; do
    ln -s /dev/null "$root/etc/systemd/system/$unit"
done
HOOK

mmdebstrap --quiet --variant=minbase --include="$packages" --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --essential-hook="sh $work/early \"\$1\"" \
    --customize-hook="sh $work/late \"\$1\" $key $work/ours" bookworm "$work/root.tar" "$sources"
mkdir "$root"
tar -xf "$work/root.tar" -C "$root" --numeric-owner --xattrs --xattrs-include='*' # ping has its capability in one
rm "$work/root.tar"

mkdir -p "$root/boot/grub"
kernel=$(basename "$root"/boot/vmlinuz-*)
cat > "$root/boot/grub/grub.cfg" << GRUB
set timeout=0
menuentry Debian {
  linux /boot/$kernel root=/dev/vda1 rw net.ifnames=0 console=tty0 console=ttyS0 quiet mitigations=off
  initrd /boot/initrd.img-${kernel#vmlinuz-}
}
GRUB
disk=$work/disk size_gib=5
truncate -s ${size_gib}G "$disk"
echo '2048,,83,*' | sfdisk -q "$disk"
mke2fs -q -t ext4 -L root -O ^metadata_csum_seed -E offset=1048576 -d "$root" "$disk" $((size_gib * 1024 * 1024 - 1024))k
grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o "$work/core" biosdisk part_msdos ext2 normal linux configfile
dd if=/usr/lib/grub/i386-pc/boot.img of="$disk" bs=440 count=1 conv=notrunc status=none
dd if="$work/core" of="$disk" bs=512 seek=1 conv=notrunc status=none

qemu-img convert -O qcow2 "$disk" "$work/box.img"
echo "{\"provider\": \"libvirt\", \"format\": \"qcow2\", \"virtual_size\": $size_gib}" > "$work/metadata.json"
# A key of each machine's own would cost a login more, and these machines are reached from here alone.
echo 'Vagrant.configure("2") { |config| config.ssh.insert_key = false }' > "$work/Vagrantfile"
tar -C "$work" -cf - metadata.json Vagrantfile box.img | gzip -1 > "$work/made"
mv "$work/made" "$out"
echo "$made_of" > "$out.made-of"
