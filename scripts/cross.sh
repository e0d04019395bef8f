#!/usr/bin/env bash
# Called by make size, make cross and package.sh, with LDFLAGS and AGENT_TAGS.
# cross.sh PLATFORM...: builds the agent for each platform into bin/cross, stripped, and prints the sizes.
# PROGRAM=gateway builds the gateway instead. OUT is another directory than bin/cross.
# A platform is GOARCH or GOARCH/variant: arm/6, arm64, mipsle/softfloat.
# The agent for armv6 must stay within AGENT_LIMIT bytes: the smallest boards have 16 MB of flash.
set -euo pipefail
cd "$(dirname "$0")/.."

AGENT_LIMIT=${AGENT_LIMIT:-9000000}
program=${PROGRAM:-agent}
flags=()
if [ "$program" = agent ]; then
  # Inlining is 0.8 MB of the agent. It stays where readings are packed; elsewhere nobody waits for it.
  flags=(-tags "${AGENT_TAGS:-}" -gcflags=all=-l)
  for hot in "$(go list -m)/shared" github.com/klauspost github.com/fxamacker runtime internal/runtime; do
    flags+=("-gcflags=$hot/...=")
  done
fi
out_dir=${OUT:-bin/cross}
mkdir -p "$out_dir"
for platform in "$@"; do
  target=(GOOS=linux GOARCH="${platform%/*}" CGO_ENABLED=0)
  case $platform in
    arm/*) target+=(GOARM="${platform#*/}") ;;
    mips*/*) target+=(GOMIPS="${platform#*/}") ;;
  esac
  out=$out_dir/headwater-$program-linux-${platform/\//-}
  # The version is linked in; what Go would add of the checkout makes two equal builds differ.
  env "${target[@]}" go build -trimpath -buildvcs=false "${flags[@]}" -ldflags "-s -w ${LDFLAGS:-}" -o "$out" "./$program/cmd/headwater-$program"
  size=$(wc -c <"$out")
  printf '%10d bytes  %s\n' "$size" "$out"
  if [ "$program $platform" = 'agent arm/6' ] && [ "$size" -gt "$AGENT_LIMIT" ]; then
    echo "the agent for armv6 is $((size - AGENT_LIMIT)) bytes over its limit of $AGENT_LIMIT" >&2
    exit 1
  fi
done
