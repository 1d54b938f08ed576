#!/usr/bin/env bash
# Runs tests on another kernel: a stock kernel of Debian, booted by QEMU, with this machine's files as its read-only root.
# QEMU has no hardware support (it emulates the guest's CPUs), so everything is some 30 times slower than outside. Only the
# kernel in .cache is left on the machine, however the run ends: all else is in the run's own namespaces and tmpfs.
# Usage: test-kernel.sh <6.1|6.12> [file or pattern]…    default: the files in scripts/test-kernel/tests
# TEST_MINUTES: time limit of a run, default 60
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
virtiofsd=/usr/lib/qemu/virtiofsd
memory=2G

# Boots the job from stdin, and exits with the result of its tests. The guest's root is this machine's, without its other
# mounts except the project, and with the job in place of /run.
boot() {
  local root=/run/root server code
  mount -t tmpfs tmpfs /run
  mkdir $root
  mount --bind / $root
  # shellcheck source=/dev/null
  cat >/run/job && . /run/job
  mount --bind "$project" "$root$project"
  mount -t tmpfs tmpfs $root/run
  cp /run/job $root/run/job
  echo "$project" >$root/run/project
  for path in $root "$root$project" $root/run; do mount -o remount,bind,ro "$path"; done

  $virtiofsd --socket-path=/run/root.sock -o source=$root -o sandbox=chroot -o cache=always \
    --rlimit-nofile=0 -o log_level=err &
  server=$!
  until [ -S /run/root.sock ]; do
    kill -0 $server || exit 1
    sleep 0.1
  done
  # The guest has its own time limit; this one is for a guest that hangs as a whole.
  timeout --foreground --kill-after=5 "$((minutes + 10))m" nice -n 19 qemu-system-x86_64 \
    -accel tcg,thread=multi -M q35 -cpu max -smp 2 -m $memory -no-reboot \
    -object memory-backend-memfd,id=memory,size=$memory,share=on -numa node,memdev=memory \
    -nodefaults -no-user-config -display none -serial stdio -serial file:/run/result \
    -chardev socket,id=root,path=/run/root.sock \
    -device vhost-user-fs-pci,queue-size=1024,chardev=root,tag=host,vectors=0 \
    -kernel "$kernel/vmlinuz" -initrd "$kernel/initrd" -append "console=ttyS0 panic=-1 quiet" </dev/null || true
  code=$(tr -dc 0-9 </run/result)
  [ -n "$code" ] || echo "the guest ended without a result: its last lines are above" >&2
  exit "${code:-1}"
}

if [ "${1-}" = --inside ]; then
  boot
fi
case ${1-} in
6.1) suite=bookworm ;;
6.12) suite=trixie ;;
*)
  echo "usage: test-kernel.sh <6.1|6.12> [file or pattern]…" >&2
  exit 1
  ;;
esac
if [ "$(id -u)" != 0 ] || [ "$(uname -m)" != x86_64 ] || [ ! -x $virtiofsd ]; then
  echo "boot Linux $1 in QEMU: that needs root, x86-64, and Debian 12's QEMU ($virtiofsd): run 'make test-kernel' there" >&2
  exit 1
fi
shift
tests=("$@")
[ $# != 0 ] || mapfile -t tests < <(sed 's/#.*//; s/ *$//; /^$/d' "$here/test-kernel/tests")
project=$(dirname "$here")
slowness=30
minutes=${TEST_MINUTES:-60}
kernel=$("$here/test-kernel/fetch.sh" $suite)
child=
trap '[ -z "$child" ] || kill -KILL $child 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
declare -p project slowness minutes kernel tests |
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc "$0" --inside &
child=$!
wait $child
