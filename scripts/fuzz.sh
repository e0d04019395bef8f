#!/usr/bin/env bash
# make fuzz: runs every fuzz target of the repository for FUZZTIME each. What one finds is written to
# testdata/fuzz beside its test: commit it, it is tried by every `go test` from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib.sh

while IFS=: read -r file target; do
  step "$target in $(dirname "$file")" \
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-20s}" -fuzzminimizetime 5s "./$(dirname "$file")"
done < <(git ls-files '*_test.go' | xargs grep -Ho '^func Fuzz[A-Za-z0-9_]*' | sed 's/func //' | sort)
