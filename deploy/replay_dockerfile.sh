#!/usr/bin/env bash
# Does what deploy/Dockerfile says, without Docker: each stage becomes a Debian system made by debootstrap, its COPY and RUN lines are
# done in it, and the last one is started as its USER, ENTRYPOINT and HEALTHCHECK say. Needs root, debootstrap and about 2 GB.
#
#   deploy/replay_dockerfile.sh DIR MODEL_FOLDER       DIR: for the systems; MODEL_FOLDER: a converted model, to ask it something
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,5p' "$0"; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
file=$root/deploy/Dockerfile
dir=$(mkdir -p "$1" && cd "$1" && pwd)
model=$(cd "$2" && pwd)
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

inside() { chroot "$system" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"; }

# new_system IMAGE: debian:12-slim and no other.
new_system() {
  [ "$1" = debian:12-slim ] || { echo "replay_dockerfile.sh: FROM $1: only debian:12-slim is known here" >&2; exit 1; }
  [ -d "$dir/base" ] || debootstrap --variant=minbase bookworm "$dir/base.part" "$mirror" > "$dir/debootstrap.log"
  [ -d "$dir/base" ] || mv "$dir/base.part" "$dir/base"
  rm -rf "$system"
  cp -a "$dir/base" "$system"
  # How this machine reaches Debian's packages.
  cp -a /etc/apt/sources.list* /etc/apt/apt.conf.d /etc/apt/trusted.gpg.d "$system/etc/apt/" 2>/dev/null || true
  cp /etc/resolv.conf "$system/etc/" 2>/dev/null || true
  mkdir -p "$system/etc/ssl/certs" && cp -L /etc/ssl/certs/ca-certificates.crt "$system/etc/ssl/certs/" 2>/dev/null || true
}

stages=() stage=0 environment=() user=0 entry= health=
while IFS= read -r line; do
  case $line in
    FROM\ *)
      read -r _ image _ name <<< "$line"
      stages+=("${name:-last}")
      system=$dir/${name:-last}
      echo "== $line"
      new_system "$image"
      ;;
    RUN\ *)
      echo "== $line"
      inside sh -c "${line#RUN }" > "$system.log" 2>&1 || { tail -n 20 "$system.log"; exit 1; }
      ;;
    COPY\ --from=*)
      echo "== $line"
      read -r _ from source target <<< "$line"
      cp -a "$dir/${from#--from=}$source." "$system$target"
      ;;
    COPY\ *)
      echo "== $line"
      read -r _ source target <<< "$line"
      mkdir -p "$system$target"
      git -C "$root" archive HEAD "$source" | tar -x -C "$system$target"
      ;;
    ENV\ *) read -r -a environment <<< "${line#ENV }" ;;
    USER\ *) user=${line#USER } ;;
    ENTRYPOINT\ *) entry=${line#ENTRYPOINT } ;;
    HEALTHCHECK\ *) health=${line#*CMD } ;;
    '#'* | '' | VOLUME\ * | EXPOSE\ * | STOPSIGNAL\ *) ;;
    *) echo "replay_dockerfile.sh: this line is not known here: $line" >&2; exit 1 ;;
  esac
done < "$file"

mkdir -p "$system/model"
cp -r "$model/." "$system/model/"
readarray -t words < <(python3 -c 'import json, sys; print(*json.loads(sys.argv[1]), sep="\n")' "$entry")
as_user=(chroot --userspec="$user:$user" "$system" /usr/bin/env -i PATH=/usr/bin:/bin "${environment[@]}")
echo "== ${words[*]} /model, as $user"
"${as_user[@]}" "${words[@]}" /model > "$dir/serve.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  "${as_user[@]}" sh -c "$health" 2>/dev/null && break
  kill -0 "$server" || { cat "$dir/serve.log"; exit 1; }
  sleep 0.1
done
"${as_user[@]}" sh -c "$health"
echo "== healthy; one text:"
curl -sf http://127.0.0.1:8080/embed -H 'Content-Type: application/json' -d '{"inputs":"Hello"}' | cut -c 1-60
kill -TERM "$server"
wait "$server"
echo "== stopped with status 0; the last stage has $(du -sm "$system" --exclude=model | cut -f 1) MB, the command $(du -sm "$system/usr/bin/embedforge" | cut -f 1) MB"
