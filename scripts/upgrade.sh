#!/usr/bin/env bash
# Upgrades a running mesh from the last release to what is checked out here. The release's commit is in CHANGELOG.md, in the
# heading of its version. Usage: upgrade.sh [commit]
set -euo pipefail
cd "$(dirname "$0")/.."
commit=${1:-$(sed -nE 's/^## [0-9]+\.[0-9]+\.[0-9]+ .*\(([0-9a-f]{40})\)$/\1/p' CHANGELOG.md | head -1)}
if [ -z "$commit" ]; then
  echo "upgrade: CHANGELOG.md names the commit of no release" >&2
  exit 1
fi
if ! git cat-file -e "$commit^{commit}" 2>/dev/null && ! git fetch --quiet --depth 1 origin "$commit" 2>/dev/null; then
  echo "upgrade: commit $commit of the last release is not here: fetch it (git fetch --unshallow)" >&2
  exit 1
fi
folder=$(mktemp -d "${TMPDIR:-/tmp}/netloom-release.XXXXXX")
trap 'rm -rf "$folder"' EXIT
git archive "$commit" | tar -x -C "$folder"
echo "upgrade: set-up of the release ($commit)"
make -s --no-print-directory -C "$folder" setup
NETLOOM_RELEASE=$folder scripts/test.sh e2e/upgrade-release.ts
