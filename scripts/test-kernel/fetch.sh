#!/usr/bin/env bash
# Downloads and unpacks the cloud kernel of a Debian suite, with an initramfs that mounts the shared root. The kernel and
# apt's data for it are in .cache: the machine's own apt configuration is read, and not changed. An existing kernel is not
# downloaded again: remove .cache/kernels for a newer one of the same line.
# Usage: fetch.sh <suite>    Prints the folder: vmlinuz, initrd, and lib/modules/<release>
set -euo pipefail
suite=$1
home=$(cd "$(dirname "$0")/../.." && pwd)/.cache/kernels/$suite
mkdir -p "$(dirname "$home")"
exec 9>"$home.lock"
flock 9
if [ -e "$home/kernel/initrd" ]; then
  echo "$home/kernel"
  exit
fi

# The mirror of this machine's own Debian has the other suites, too.
codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
  awk -v codename="$codename" '$1 == codename && $2 == "main" { print $3; exit }')
if [ -z "$mirror" ]; then
  echo "find the kernel of Debian $suite: this machine's apt has no mirror of '$codename main': run on a Debian" >&2
  exit 1
fi
rm -rf "$home"
mkdir -p "$home"/{lists,cache}/partial "$home/unpacked" "$home/initramfs"/{bin,dev,modules,proc,root}
echo "deb $mirror $suite main" >"$home/sources.list"
apt=(-qq -o APT::Sandbox::User=root -o Dir::Etc::SourceList="$home/sources.list" -o Dir::Etc::SourceParts=/dev/null
  -o Dir::State::Lists="$home/lists" -o Dir::Cache="$home/cache")
echo "set-up: the kernel of Debian $suite, from the mirror of this machine (40 MB, once)" >&2
apt-get "${apt[@]}" update >&2
package=$(apt-cache "${apt[@]}" depends linux-image-cloud-amd64 | awk '$1 == "Depends:" { print $2; exit }')
(cd "$home" && apt-get "${apt[@]}" download "$package" >&2)
dpkg-deb -x "$home/$package"_*.deb "$home/unpacked"

# Debian 13 has its modules below usr.
release=${package#linux-image-}
cd "$home/unpacked"
[ -d lib/modules ] || ln -s usr/lib lib
mv "boot/vmlinuz-$release" vmlinuz
depmod -b . "$release"

# The modules of virtiofs, in loading order; none if it is built into the kernel.
number=100
modprobe -d . -S "$release" --show-depends -a virtio_pci virtiofs | awk '!seen[$0]++' | while read -r what path _; do
  [ "$what" = insmod ] || continue
  number=$((number + 1))
  case $path in
  *.xz) busybox xzcat "$path" ;;
  *) cat "$path" ;;
  esac >"$home/initramfs/modules/$number.ko"
done
cp /bin/busybox "$home/initramfs/bin/busybox"
cat >"$home/initramfs/init" <<'INIT'
#!/bin/busybox sh
busybox() { /bin/busybox "$@"; }
for module in /modules/*.ko; do [ ! -e "$module" ] || busybox insmod "$module"; done
busybox mount -t virtiofs -o ro host /root
project=$(busybox cat /root/run/project)
exec /bin/busybox switch_root /root "$project/scripts/test-kernel/guest.sh"
INIT
chmod +x "$home/initramfs/init"
(cd "$home/initramfs" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >initrd
mv "$home/unpacked" "$home/kernel"
rm -rf "$home"/{lists,cache,initramfs} "$home/$package"_*.deb
echo "$home/kernel"
