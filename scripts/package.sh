#!/usr/bin/env bash
# Called by make package, with LDFLAGS and AGENT_TAGS.
# package.sh [PACKAGE...]: builds packages into bin/packages (or OUT) and prints their sizes and SHA-256.
# A package is PROGRAM:FORMAT:PLATFORM:ARCHITECTURE as in the list below, which is what is built without arguments.
#
# The same commit gives the same bytes, on any machine with the same Go: all times are that of the commit.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C TZ=UTC
umask 022

# One armhf .deb, built for ARMv6: a Raspberry Pi Zero and 1 run it as well as newer boards do.
packages=("$@")
[ $# -gt 0 ] || packages=(
  agent:deb:arm/6:armhf agent:deb:arm64:arm64 agent:deb:amd64:amd64
  agent:rpm:arm/7:armv7hl agent:rpm:arm64:aarch64 agent:rpm:amd64:x86_64
  agent:ipk:mips/softfloat:mips_24kc agent:ipk:mipsle/softfloat:mipsel_24kc agent:ipk:arm/7:arm_cortex-a7_neon-vfpv4
  gateway:deb:arm64:arm64 gateway:deb:amd64:amd64
  gateway:rpm:arm64:aarch64 gateway:rpm:amd64:x86_64
)
out=$(realpath -m "${OUT:-bin/packages}")
stages=$out/stages
nfpm=$PWD/bin/tools/nfpm

# A checkout without git, as of a source archive, has to name the two.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
version=${PACKAGE_VERSION:-$(git describe --tags --match 'v[0-9]*' --dirty=.dirty 2>/dev/null | sed -E 's/^v//; s/-([0-9]+)-g/+\1.g/' || true)}
version=${version:-0.0.0~$(date -d "@$SOURCE_DATE_EPOCH" +%Y%m%d).$(git describe --always --match nothing --dirty=.dirty)}

# fill NAME FROM TO: copies a file and puts in what stands between @.
fill() {
  local users=
  [ "$program" != gateway ] || users=$(<deploy/packages/users.sh)
  USERS=$users NAME=headwater-$program CONFIG=/etc/headwater/$program.yaml ARCH=$arch VERSION=$version \
    MTIME=$(date -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ) MAINTAINER='Headwater <headwater-iot@users.noreply.github.com>' \
    perl -pe 's/@([A-Z]+)@/exists $ENV{$1} ? $ENV{$1} : die "no value for $1\n"/ge' "$1" >"$stage/$2"
}

# stage: gathers the files of one package in a folder, all with one time stamp.
stage() {
  rm -rf "$stage"
  mkdir -p "$stage"
  install -m 755 "bin/cross/headwater-$program-linux-${platform/\//-}" "$stage/headwater-$program"
  cp LICENSE "$stage/copyright"
  scripts/notices.sh "$program" "${platform%/*}" | gzip -n9 >"$stage/third-party.gz"
  gzip -n9 <"deploy/man/headwater-$program.1" >"$stage/headwater-$program.1.gz"
  case $program:$format in
    agent:ipk)
      cp deploy/openwrt/agent.yaml deploy/openwrt/headwater-agent.init "$stage"
      fill deploy/packages/router.nfpm.yaml nfpm.yaml
      ;;
    agent:*)
      cp deploy/packages/agent.yaml deploy/systemd/headwater-agent.service deploy/systemd/devices.conf "$stage"
      fill deploy/packages/agent.nfpm.yaml nfpm.yaml
      ;;
    gateway:*)
      cp configs/gateway.yaml deploy/systemd/headwater-gateway.service deploy/systemd/headwater-gateway.sysusers "$stage"
      fill deploy/packages/gateway.nfpm.yaml nfpm.yaml
      ;;
  esac
  for script in postinst prerm postrm; do
    [ ! -e "deploy/packages/$script.$format" ] || fill "deploy/packages/$script.$format" "$script"
  done
  find "$stage" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
}

CGO_ENABLED=0 go -C scripts/packages build -trimpath -o "$nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm
mkdir -p "$out"
made=()
for package in "${packages[@]}"; do
  IFS=: read -r program format platform arch <<<"$package"
  # The size is the matter of make size, which CI runs.
  AGENT_LIMIT=1000000000 OUT=bin/cross PROGRAM=$program scripts/cross.sh "$platform"
  stage=$stages/$program-$format-$arch
  stage
  file=headwater-${program}_${version}_$arch.$format
  (cd "$stage" && "$nfpm" package --config nfpm.yaml --packager "$format" --target "$out/$file" >/dev/null)
  made+=("$file")
done
rm -rf "$stages"

echo
echo "Packages in $out:"
cd "$out"
for file in "${made[@]}"; do
  printf '%10d bytes  %s  %s\n' "$(wc -c <"$file")" "$(sha256sum <"$file" | cut -d ' ' -f 1)" "$file"
done
