#!/usr/bin/env bash
# make qemu, and a step of make test: runs the tests of what a device does as armv6 and arm64 programs under qemu-user.
# It shows that the code works with 32 bits, alignment and atomics of ARM. It says nothing of speed.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib.sh

# The wire format, the outbox with all below it, and time.
packages=(./shared/wire ./shared/seqset ./shared/durable ./agent/internal/{outbox,segment,ring,seal,timebase})

# emulated QEMU VARIABLE=VALUE...: runs the tests for one platform.
emulated() {
  local qemu=$1
  shift
  if ! has "$qemu" && [ "${HEADWATER_NO_SKIP:-}" != 1 ]; then
    echo "SKIPPED: needs $qemu, which is not installed: apt-get install qemu-user"
    return
  fi
  env HEADWATER_EMULATOR="$qemu" CGO_ENABLED=0 GOOS=linux "$@" go test -trimpath -tags "${AGENT_TAGS:-}" -short -timeout 10m -exec "$qemu" "${packages[@]}"
}

step "armv6 under qemu-user" emulated qemu-arm GOARCH=arm GOARM=6
step "arm64 under qemu-user" emulated qemu-aarch64 GOARCH=arm64
