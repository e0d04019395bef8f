#!/usr/bin/env bash
# make lint: gofumpt, go vet and staticcheck, in the versions that scripts/tools/go.mod pins.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib.sh
# The same as for make build, so that nothing is compiled a second time only to be looked at.
export CGO_ENABLED=0 GOFLAGS=-trimpath

install_tools() {
  GOBIN=$PWD/bin/tools go -C scripts/tools install tool
}

# formatted fails if a file is not as gofumpt would write it, and names it.
formatted() {
  local wrong
  wrong=$(git ls-files '*.go' | xargs bin/tools/gofumpt -l)
  if [ -n "$wrong" ]; then
    printf 'not formatted (run `make fmt`):\n%s\n' "$wrong"
    return 1
  fi
}

step "install the tools into bin/tools" install_tools
step "gofumpt" formatted
step "go vet" go vet -tags chaos ./...
step "staticcheck" bin/tools/staticcheck -tags chaos ./...
