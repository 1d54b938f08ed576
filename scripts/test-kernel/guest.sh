#!/bin/bash
# The first process of the guest of test-kernel.sh: runs the tests that its job names, in the root of the machine outside,
# which is read-only. What it writes is in memory. The tests' exit code goes to the second serial line, all else to the first.
set -u
. /run/job
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir /dev/shm
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
exec </dev/null >/dev/ttyS0 2>&1
stty -F /dev/ttyS0 -opost

# The kernel looks for its modules by a program. Those of this kernel are not in the root's /lib/modules.
printf '#!/bin/sh\nexec /usr/sbin/modprobe -d %s "$@"\n' "$kernel" >/run/modprobe
chmod 755 /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe
# Its device is made when it is loaded: nothing here makes devices that load their modules when they are opened.
modprobe -d "$kernel" tun

export PATH=$project/bin:$project/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/run TEST_FOLDER=/dev/shm NODE_COMPILE_CACHE=/dev/shm/compile UV_THREADPOOL_SIZE=32
export TEST_SLOWNESS=$slowness TEST_MINUTES=$minutes
cd "$project" || exit
echo "up: Linux $(uname -r)"
scripts/test.sh "${tests[@]}"
echo $? >/dev/ttyS1
# Waits until the line has sent it.
stty -F /dev/ttyS1 >/dev/null
echo o >/proc/sysrq-trigger
sleep infinity
