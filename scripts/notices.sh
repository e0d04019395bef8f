#!/usr/bin/env bash
# notices.sh PROGRAM GOARCH: prints the licence and notice texts of everything that is linked into a program, for every
# copy of the program carries them. The texts come from the module cache and from Go itself; a module without one is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

texts() { # texts FOLDER: the licence files in it
  find "$1" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'patents*' \) \
    ! -name '*.go' ! -name '*.spdx' | sort
}

# What is linked: module, version, its folder, and the folder of each package, for a package may have a licence of its own.
packages=$(GOOS=linux GOARCH="$2" CGO_ENABLED=0 go list -deps \
  -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}} {{$.Dir}}{{end}}{{end}}' "./$1/cmd/headwater-$1" | sed '/^$/d' | sort -u)

echo "headwater-$1 is licensed under the Apache License 2.0. It contains the works below under their licences."
go_root=$(go env GOROOT)
printf '\n==== Go standard library %s ====\n\n' "$(go env GOVERSION)"
found=
for text in $(texts "$go_root"); do
  cat "$text"
  found=1
done
[ -n "$found" ] || { echo "no licence of Go in $go_root" >&2; exit 1; }

while read -r module version root; do
  folders=$(while read -r m _ top dir; do
    [ "$m" = "$module" ] || continue
    while [ "${#dir}" -ge "${#top}" ]; do
      echo "$dir"
      dir=$(dirname "$dir")
    done
  done <<<"$packages" | sort -u)
  printf '\n==== %s %s ====\n' "$module" "$version"
  found=
  for folder in $folders; do
    for text in $(texts "$folder"); do
      printf '\n-- %s\n\n' "${text#"$root"/}"
      cat "$text"
      found=1
    done
  done
  [ -n "$found" ] || { echo "no licence of $module in $root" >&2; exit 1; }
done < <(cut -d ' ' -f 1-3 <<<"$packages" | sort -u)
