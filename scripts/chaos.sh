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
packages=$(git ls-files '*_test.go' | xargs grep -l '^//go:build chaos' | xargs -rn 1 dirname | sort -u | sed 's|^|./|')
if [ -z "$packages" ]; then
  echo 'no test has the build tag chaos' >&2
  exit 1
fi
# shellcheck disable=SC2086 # a list of words
step "cut the power" go test -tags chaos -run "${RUN:-Chaos}" -v -count 1 -p 1 -timeout 60m $packages
