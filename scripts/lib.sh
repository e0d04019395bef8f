# Functions for the scripts beside this file: steps with their times.
# Source it after `set -euo pipefail`. The summary is printed however the script ends.

steps=()
current=

# step NAME COMMAND...: says what happens, does it, and remembers how long it took.
step() {
  current=$1
  begin=$SECONDS
  printf '\n==> %s\n' "$current"
  shift
  "$@"
  steps+=("$(printf '%5ds  %s' $((SECONDS - begin)) "$current")")
  current=
}

summary() {
  local status=$?
  if [ -n "$current" ]; then
    steps+=("$(printf '%5ds  %s (did not succeed)' $((SECONDS - begin)) "$current")")
  fi
  [ ${#steps[@]} -gt 0 ] || return "$status"
  printf '\nTime of every step:\n'
  printf '%s\n' "${steps[@]}"
  printf '%5ds  in all\n' "$SECONDS"
  return "$status"
}
trap summary EXIT

# has COMMAND: whether it is installed. System services live in sbin, which is not in every PATH.
has() {
  command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]
}
