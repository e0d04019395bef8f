#!/usr/bin/env bash
# Called by make size and make cross, with LDFLAGS and AGENT_TAGS.
# cross.sh PLATFORM...: builds the agent for each platform into bin/cross, stripped, and prints the sizes.
# A platform is GOARCH or GOARCH/variant: arm/6, arm64, mipsle/softfloat.
# The agent for armv6 must stay within AGENT_LIMIT bytes: the smallest boards have 16 MB of flash.
set -euo pipefail
cd "$(dirname "$0")/.."

AGENT_LIMIT=9000000
mkdir -p bin/cross
for platform in "$@"; do
  target=(GOOS=linux GOARCH="${platform%/*}" CGO_ENABLED=0)
  case $platform in
    arm/*) target+=(GOARM="${platform#*/}") ;;
    mips*/*) target+=(GOMIPS="${platform#*/}") ;;
  esac
  out=bin/cross/headwater-agent-linux-${platform/\//-}
  env "${target[@]}" go build -trimpath -tags "${AGENT_TAGS:-}" -ldflags "-s -w ${LDFLAGS:-}" -o "$out" ./agent/cmd/headwater-agent
  size=$(wc -c <"$out")
  printf '%10d bytes  %s\n' "$size" "$out"
  if [ "$platform" = arm/6 ] && [ "$size" -gt "$AGENT_LIMIT" ]; then
    echo "the agent for armv6 is $((size - AGENT_LIMIT)) bytes over its limit of $AGENT_LIMIT" >&2
    exit 1
  fi
done
