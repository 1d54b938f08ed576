#!/bin/bash
# The first process in the guest of test-kernel.sh: runs the tests of its job, in the read-only root of the outer machine.
# Writes go to memory. The tests' exit code goes to the second serial line, all other output to the first.
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

# The kernel runs a program to load modules. This kernel's modules are not in the root's /lib/modules.
printf '#!/bin/sh\nexec /usr/sbin/modprobe -d %s "$@"\n' "$kernel" >/run/modprobe
chmod 755 /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe
# Loading tun makes its device: nothing here makes devices that load their module when they are opened.
modprobe -d "$kernel" tun

export PATH=$project/bin:$project/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/run TEST_FOLDER=/dev/shm NODE_COMPILE_CACHE=/dev/shm/compile UV_THREADPOOL_SIZE=32
export TEST_SLOWNESS=$slowness TEST_MINUTES=$minutes
cd "$project" || exit
echo "up: Linux $(uname -r)"
scripts/test.sh "${tests[@]}"
echo $? >/dev/ttyS1
# Waits until the serial line has sent the code.
stty -F /dev/ttyS1 >/dev/null
echo o >/proc/sysrq-trigger
sleep infinity
