#!/usr/bin/env bash
# Runs test files, and leaves nothing on the machine, even if a test fails, hangs or is killed, or after Ctrl-C. As root the
# tests get their own mount, network and process namespaces, with an empty /run, bpffs and folder for temporary files.
# Everything in these ends with their first process, which is this script again.
# Usage: test.sh <file or pattern>…    TEST_MINUTES: time limit of a run, default 25; TEST_FOLDER: place of temporary files,
# default /tmp; TEST_SLOWNESS: factor for the time-outs of tests
set -uo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
minutes=${TEST_MINUTES:-25}

run() {
  # A test that runs for four minutes hangs, on a machine of normal speed. Processes that a test file leaves behind do not
  # block the others.
  timeout --foreground --kill-after=5 "${minutes}m" "$project/bin/node" --import "$project/scripts/test-process.ts" \
    --test --test-concurrency=2 --test-timeout=$((240000 * ${TEST_SLOWNESS:-1})) "$@"
  local code=$?
  if [ $code = 124 ] || [ $code = 137 ]; then
    echo "the tests were given up after $minutes minutes; still at work:" >&2
    grep -lsz -e '\.test\.[mj]*[jt]s$' /proc/[0-9]*/cmdline | while read -r file; do tr '\0' ' ' <"$file" && echo; done >&2
  fi
  return $code
}

if [ "${1-}" = --inside ]; then
  shift
  trap : INT TERM
  mount -t tmpfs -o mode=755 tmpfs /run
  mount -t tmpfs -o mode=1777 tmpfs "$TMPDIR"
  mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf
  mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
  ip link set lo up
  run "$@"
  exit
fi
if [ "$(id -u)" != 0 ]; then
  run "$@"
  exit
fi

export TMPDIR
TMPDIR=$(mktemp -d "${TEST_FOLDER:-/tmp}/netloom-test.XXXXXX")
setpriv --pdeathsig KILL unshare --mount --net --pid --fork --kill-child --mount-proc "$0" --inside "$@" </dev/null &
child=$!
trap 'rmdir "$TMPDIR"' EXIT
# The terminal signals the runner too, which prints the running tests. Give it a few seconds.
give_up() {
  trap '' INT TERM HUP
  for _ in {1..50}; do
    kill -0 $child 2>/dev/null || break
    [ "$1" = 2 ] || break
    sleep 0.1
  done
  kill -KILL $child 2>/dev/null
  wait $child 2>/dev/null
  exit $((128 + $1))
}
trap 'give_up 2' INT
trap 'give_up 15' TERM
trap 'give_up 1' HUP
wait $child
