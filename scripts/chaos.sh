#!/usr/bin/env bash
# make chaos: kills over the whole path, then power cuts on a real file system. The power cuts need root, because they
# make loop devices; nothing is touched but images and data in temporary folders.
#
#   make chaos KILLS=1000        so many kills in each of two rivers (100)
#   make chaos SEED=...          the kills of an earlier run, which printed it
#   make chaos RUN=TestPowerCut  this test alone
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib.sh

if [[ TestKills =~ ^(${RUN:-TestKills})$ ]]; then
  export HEADWATER_KILLS=${KILLS:-100} HEADWATER_SEED=${SEED:-}
  step "kill at random" go test -run '^TestKills$' -v -count 1 -timeout 60m ./scripts/e2e
fi
files=$(git ls-files '*_test.go' | xargs grep -l '^//go:build chaos' || true)
if [ -z "$files" ]; then
  echo 'no test file has the build tag chaos' >&2
  exit 1
fi
packages=$(xargs -n 1 dirname <<<"$files" | sort -u | sed 's|^|./|')
tests=$(xargs grep -ho '^func Test[A-Za-z0-9_]*' <<<"$files" | sed 's/func //' | grep -xE "${RUN:-.*}" | paste -sd '|' || true)
if [ -z "$tests" ]; then
  exit
fi
if [ "$(id -u)" != 0 ]; then
  echo 'power cuts need root and were not made: sudo --preserve-env=PATH make chaos' >&2
  [ "${HEADWATER_NO_SKIP:-}" != 1 ]
  exit
fi
# shellcheck disable=SC2086 # a list of words
step "cut the power" go test -tags chaos -run "^($tests)\$" -v -count 1 -p 1 -timeout 60m $packages
