#!/usr/bin/env bash
# Looks for what the tests need beside Go. In CI it installs what is missing; elsewhere it only names
# it, with the command that installs it: this script never changes somebody's machine.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib.sh
trap - EXIT # one step of a bigger script: no summary of its own

missing=()
has mosquitto || missing+=(mosquitto)        # the external broker
has cc || has gcc || missing+=(gcc libc6-dev) # the race detector
has qemu-arm && has qemu-aarch64 || missing+=(qemu-user) # what runs on a device, as ARM
has systemd-analyze || missing+=(systemd)    # judges the units
has strace || missing+=(strace)              # lists the calls that the units have to allow
has mkfs.ext4 || missing+=(e2fsprogs)        # a disk that can be frozen
has python3 || missing+=(python3)            # the readers that are not ours
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)

if [ ${#missing[@]} -gt 0 ] && [ "${CI:-}" = true ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"
elif [ ${#missing[@]} -gt 0 ]; then
  echo "Not installed: ${missing[*]}. Tests that need them will be skipped. To install:"
  echo "    sudo apt-get install ${missing[*]}"
fi

if [ "${CI:-}" = true ]; then
  scripts/venv.sh
elif ! scripts/venv.sh; then
  echo "The Python readers could not be installed in .venv; the tests that need them will be skipped."
fi
