#!/usr/bin/env bash
# make test: all tests of the repository, most with the race detector, and what was skipped and why.
#
# Packages that link the lake's libraries come last: they take longest, and a mistake elsewhere should show
# before.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib.sh

race=-race
if ! has cc && ! has gcc && [ "${CI:-}" != true ]; then
  race= # it needs a C compiler; scripts/needs.sh says so
fi

# The Go tool says on stderr what it downloads.
download() {
  go list -deps -test ./... >/dev/null
}

# check PACKAGE...: tests packages. The report prints each package's closing line, all output of what
# failed, and the skipped tests by reason.
check() {
  go test -json -timeout 20m "$@" | bin/testreport
}

# as_shipped PACKAGE...: the same with the flags of make build, so that nothing is compiled a second time.
as_shipped() {
  CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath" check "$@"
}

step "look for what the tests need" scripts/needs.sh
step "download the modules, if they are not there" download
step "build both programs (the first time takes minutes)" make --no-print-directory build
step "build the test report" go build -o bin/testreport ./scripts/testreport
# What a package or its tests import, one package per line. The grep only sets the order: a package that
# it takes wrongly is tested all the same.
imports=$(go list -f '{{.ImportPath}} {{join .Deps " "}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... |
  grep -v '^[^ ]*/scripts/e2e ')
heavy='apache/iceberg-go|apache/arrow-go|modernc.org/sqlite|gateway/internal/lake'
light_packages=$(grep -Ev "$heavy" <<<"$imports" | cut -d ' ' -f 1)
lake_packages=$(grep -E "$heavy" <<<"$imports" | cut -d ' ' -f 1 || true)

# shellcheck disable=SC2086 # lists of words
step "test what needs no lake${race:+, with the race detector}" check $race $light_packages
# The race detector makes commits several times slower: of what links the lake it watches the tests in which
# writers and readers meet.
if [ -n "$lake_packages" ]; then
  # shellcheck disable=SC2086
  step "test what links the lake" as_shipped $lake_packages
  if [ -n "$race" ]; then
    step "test the lake where writers and readers meet, with the race detector (the first time takes minutes)" \
      check $race -run 'Concurrent|Beside' ./gateway/internal/lake
  fi
fi
step "test what runs on a device as ARM, under qemu-user (the first time takes minutes)" scripts/qemu.sh
step "test the real binaries end to end" as_shipped ./scripts/e2e
printf '\nAll tests passed.\n'
