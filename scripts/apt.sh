#!/bin/sh
# Installs the Debian packages that a target needs. Prints the missing ones first; prints nothing if none is missing.
# Usage: apt.sh <target> <package>…
set -eu
target=$1
shift
missing=
for package in "$@"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "set-up: make $target installs with apt-get:$missing"
if [ "$(id -u)" != 0 ]; then
  echo "not root: run 'apt-get install$missing' as root, then make $target again" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
