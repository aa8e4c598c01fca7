#!/usr/bin/env bash
# clang-tidy over every source of the library, the command line and the bindings. Usage: tidy.sh BUILD_FOLDER JOBS
# A file that passed is not checked again until it, any header, the check list or its compile command changes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$1
jobs=$2
stamps="$build/tidy"
mkdir -p "$stamps"
headers=$(cat .clang-tidy "$build/compile_commands.json" $(git ls-files --cached --others --exclude-standard 'src/*.h' 'include/*.h' 'apps/*.h') | sha256sum)

check() {
  local stamp
  stamp="$stamps/$( (echo "$headers"; echo "$1"; cat "$1") | sha256sum | cut -c1-32)"
  [ -e "$stamp" ] && return
  if clang-tidy-16 --quiet -p "$build" --extra-arg=-Wno-unknown-warning-option "$1" > "$stamp.log" 2>&1; then
    touch "$stamp"
    rm -f "$stamp.log"
  else
    grep -v 'warnings generated' "$stamp.log" || true
    rm -f "$stamp.log"
    echo "clang-tidy: $1 has findings"
    return 1
  fi
}
export -f check
export build stamps headers

# Those that the build knows; ISA folders that this compiler doesn't build are left out with them.
git ls-files --cached --others --exclude-standard 'src/*.cc' 'apps/*.cc' |
  while IFS= read -r file; do grep -q "/$file\"" "$build/compile_commands.json" && echo "$file"; done |
  xargs -r -P "$jobs" -I{} bash -c 'check {}'
