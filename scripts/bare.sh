#!/usr/bin/env bash
# Runs README's two commands in a bare Debian with nothing but the requirements of the README: make and npm. Runs `make demo`
# with Debian's npm and with npm 10 and 11, each with its own Node, then `make test`. The clone is below a folder of mode
# 0700. The system is built anew each time, in its own namespaces: mounts and processes end with them, and the folder is
# removed even after a failure. Root only.
# Usage: bare.sh [demo|test]…    default: both
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
SUITE=bookworm
# Versions of Node with the npm of their distribution.
OTHERS="22.21.1:10.9.4 24.11.1:11.6.2"

# Runs inside the namespaces: builds the system in $ROOT, makes it the root, and runs the commands there.
build() {
  local site
  site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m1 -E '/debian/?$' || true)
  echo "bare: Debian $SUITE in $ROOT"
  # The root of a namespace has to be a mount. With chroot instead, no program in it could make user namespaces.
  mount --bind "$ROOT" "$ROOT"
  quietly debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$ROOT" ${site:+"$site"}
  carry_configuration
  mkdir -p "$ROOT/root/netloom"
  chmod 700 "$ROOT/root"
  (cd "$project" && git ls-files -z | tar --null --files-from=- --create) | tar -C "$ROOT/root/netloom" --extract
  mount --rbind /dev "$ROOT/dev"
  mount -t proc proc "$ROOT/proc"
  mount -t sysfs sysfs "$ROOT/sys"
  mount -t bpf bpf "$ROOT/sys/fs/bpf"
  mount -t cgroup2 cgroup2 "$ROOT/sys/fs/cgroup" || true
  mount -t tmpfs tmpfs "$ROOT/run"
  cd "$ROOT"
  mkdir -p old
  pivot_root . old
  umount -l /old
  rmdir /old
  cd /root/netloom
  local kept=()
  readarray -d '' kept < <(env -0 | grep -z -i -E '^([a-z]+_proxy|[^=]*(cert|_ca_)[^=]*|npm_config_[^=]*|NETLOOM_[^=]*|TESTS|TEST_MINUTES|SINCE|TERM)=')
  env -i "${kept[@]}" HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 scripts/bare.sh --commands "$@"
}

# Copies this machine's settings for reaching Debian's packages and npm's: proxies, certificates and names.
carry_configuration() {
  apt-config dump | grep -E '^Acquire::(http|https|Check|Retries|ForceIPv|Languages|GzipIndexes)' \
    >"$ROOT/etc/apt/apt.conf.d/99machine" || true
  cp -a /etc/apt/auth.conf* "$ROOT/etc/apt/"
  mkdir -p "$ROOT/etc/ssl/certs"
  cp -L /etc/ssl/certs/ca-certificates.crt "$ROOT/etc/ssl/certs/"
  cp -L /etc/resolv.conf /etc/hosts "$ROOT/etc/"
  local file
  for file in "$HOME/.npmrc" "$(npm config get globalconfig 2>/dev/null)"; do
    if [ -f "$file" ]; then cat "$file"; fi
  done >"$ROOT/root/.npmrc"
}

# Runs inside the bare system.
commands() {
  export DEBIAN_FRONTEND=noninteractive
  step "apt-get install make npm"
  quietly apt-get update
  quietly apt-get install -y --no-install-recommends make npm
  for what in "$@"; do "commands_of_$what"; done
}

commands_of_demo() {
  local pair folder
  with_npm
  for pair in $OTHERS; do
    folder=/opt/node-${pair%:*}
    step "npm install node@${pair%:*} npm@${pair#*:}"
    quietly npm install --prefix "$folder" "node-linux-$(machine)@${pair%:*}" "npm@${pair#*:}" \
      --ignore-scripts --no-audit --no-fund
    mkdir -p "$folder/bin"
    ln -sf "../node_modules/node-linux-$(machine)/bin/node" "$folder/bin/node"
    ln -sf ../node_modules/npm/bin/npm-cli.js "$folder/bin/npm"
    (PATH="$folder/bin:$PATH" && with_npm)
  done
}

with_npm() {
  step "make demo with Node $(node --version) and npm $(npm --version)"
  rm -rf node_modules .cache
  make demo
  bin/node scripts/installed.ts
}

commands_of_test() {
  step "make test with Node $(node --version) and npm $(npm --version)"
  rm -rf node_modules .cache
  make test
}

machine() { case $(uname -m) in aarch64) echo arm64 ;; *) echo x64 ;; esac; }

step() { echo "bare: $1 (after $(($(date +%s) - SINCE)) s)"; }

# Prints the output of a command only if the command fails.
quietly() {
  local log
  log=$(mktemp)
  "$@" >"$log" 2>&1 || {
    local code=$?
    cat "$log" >&2
    echo "bare: $* ended with code $code" >&2
    exit $code
  }
  rm -f "$log"
}

case ${1-} in
--build) shift && build "$@" ;;
--commands) shift && commands "$@" ;;
*)
  [ "$(id -u)" = 0 ] || { echo "make bare needs root" >&2; exit 1; }
  "$project/scripts/apt.sh" bare debootstrap util-linux
  ROOT=$(mktemp -d /tmp/netloom-bare.XXXXXX)
  # Users without privileges have this folder as their root, too.
  chmod 755 "$ROOT"
  SINCE=$(date +%s)
  export ROOT SINCE
  trap 'rm -rf --one-file-system "$ROOT"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  [ $# -gt 0 ] || set -- demo test
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc "$0" --build "$@"
  ;;
esac
