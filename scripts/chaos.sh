#!/usr/bin/env bash
# make chaos: power cuts on a real file system. It needs root, because it makes loop devices, and
# touches nothing but images in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib.sh

if [ "$(id -u)" != 0 ]; then
  echo 'power cuts need root: sudo --preserve-env=PATH make chaos' >&2
  exit 1
fi
files=$(git ls-files '*_test.go' | xargs grep -l '^//go:build chaos' || true)
if [ -z "$files" ]; then
  echo 'no test file has the build tag chaos' >&2
  exit 1
fi
packages=$(xargs -n 1 dirname <<<"$files" | sort -u | sed 's|^|./|')
tests=$(xargs grep -ho '^func Test[A-Za-z0-9_]*' <<<"$files" | sed 's/func //' | paste -sd '|')
# shellcheck disable=SC2086 # a list of words
step "cut the power" go test -tags chaos -run "^(${RUN:-$tests})\$" -v -count 1 -p 1 -timeout 60m $packages
