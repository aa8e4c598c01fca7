#!/usr/bin/env bash
# clang-tidy over every source of the library and the command line. Usage: tidy.sh CLANG_TIDY BUILD_FOLDER JOBS
# A file that passed is not checked again until it, any header, the check list or its compile command changes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tidy=$1
build=$2
jobs=$3
stamps="$build/tidy"
mkdir -p "$stamps"
headers=$( ("$tidy" --version; cat .clang-tidy "$build/compile_commands.json" $(git ls-files --cached --others --exclude-standard 'src/*.h' 'include/*.h' 'apps/*.h')) | sha256sum)

check() {
  local stamp
  stamp="$stamps/$( (echo "$headers"; echo "$1"; cat "$1") | sha256sum | cut -c1-32)"
  [ -e "$stamp" ] && return
  if "$tidy" --quiet -p "$build" --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-deprecated-declarations "$1" > "$stamp.log" 2>&1; then
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
export tidy build stamps headers

# Those that the build knows; ISA folders that this compiler doesn't build are left out with them. The big ones first, so that all
# jobs end together. g++ tells of what is deprecated; clang would tell of g++'s own headers.
git ls-files --cached --others --exclude-standard 'src/*.cc' 'apps/*.cc' | xargs ls -S |
  while IFS= read -r file; do grep -q "/$file\"" "$build/compile_commands.json" && echo "$file"; done |
  xargs -r -P "$jobs" -I{} bash -c 'check {}'
