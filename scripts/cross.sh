#!/usr/bin/env bash
# cross.sh PLATFORM...: builds the agent for each platform into bin/cross, stripped, and prints the sizes.
# A platform is GOARCH or GOARCH/variant: arm/6, arm64, mipsle/softfloat.
# The agent for armv6 must stay within AGENT_LIMIT bytes: the smallest boards have 16 MB of flash.
set -euo pipefail
cd "$(dirname "$0")/.."

AGENT_LIMIT=9000000
mkdir -p bin/cross
for platform in "$@"; do
  arch=${platform%/*} variant=${platform#"$arch"} variant=${variant#/}
  out=bin/cross/headwater-agent-linux-$arch${variant:+-$variant}
  GOOS=linux GOARCH=$arch GOARM=$variant GOMIPS=$variant CGO_ENABLED=0 \
    go build -trimpath -ldflags "-s -w ${LDFLAGS:-}" -o "$out" ./agent/cmd/headwater-agent
  size=$(wc -c <"$out")
  printf '%10d bytes  %s\n' "$size" "$out"
  if [ "$platform" = arm/6 ] && [ "$size" -gt "$AGENT_LIMIT" ]; then
    echo "the agent for armv6 is $((size - AGENT_LIMIT)) bytes over its limit of $AGENT_LIMIT" >&2
    exit 1
  fi
done
