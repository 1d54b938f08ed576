#!/usr/bin/env bash
# Runs a command with the last release set up in a temporary folder, whose path is in NETLOOM_RELEASE. CHANGELOG.md has the
# release's commit, in the heading of its version. Usage: with-release.sh <command>…
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
commit=$(sed -nE 's/^## [0-9]+\.[0-9]+\.[0-9]+ .*\(([0-9a-f]{40})\)$/\1/p' "$project/CHANGELOG.md" | head -1)
if [ -z "$commit" ]; then
  echo "with-release: CHANGELOG.md names the commit of no release" >&2
  exit 1
fi
cd "$project"
if ! git cat-file -e "$commit^{commit}" 2>/dev/null && ! git fetch --quiet --depth 1 origin "$commit" 2>/dev/null; then
  echo "with-release: commit $commit of the last release is not here: fetch it (git fetch --unshallow)" >&2
  exit 1
fi
folder=$(mktemp -d "${TMPDIR:-/tmp}/netloom-release.XXXXXX")
trap 'rm -rf "$folder"' EXIT
git archive "$commit" | tar -x -C "$folder"
echo "set-up of the last release ($commit)" >&2
make -s --no-print-directory -C "$folder" setup >&2
NETLOOM_RELEASE=$folder "$@"
