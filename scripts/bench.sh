#!/usr/bin/env bash
# make bench: prints the figures of the wire format, the outbox and the gateway.
#   BENCH=Encode make bench        only benchmarks that match
#   COUNT=10 make bench >new.txt   ten runs each, for bin/tools/benchstat old.txt new.txt
set -euo pipefail
cd "$(dirname "$0")/.."

packages=$(git ls-files '*_test.go' | xargs grep -l '^func Benchmark' | xargs -n 1 dirname | sort -u | sed 's|^|./|')
# One package at a time: benchmarks that share two cores measure each other.
# shellcheck disable=SC2086 # a list of words
exec go test -p 1 -run '^$' -bench "${BENCH:-.}" -benchmem -count "${COUNT:-1}" -timeout 60m $packages
