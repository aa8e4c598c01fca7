#!/usr/bin/env bash
# The whole line on all-MiniLM-L6-v2: convert, inspect, similarities of a few real sentences, encoding speed.
# Usage: demo.sh FOLDER, with EMBEDFORGE the command line's path. The model is in the Hugging Face cache already.
set -euo pipefail
out=$1
embedforge=${EMBEDFORGE:?}
model=sentence-transformers/all-MiniLM-L6-v2
mkdir -p "$out"

title() { printf '\n== %s\n' "$*"; }

title "machine"
"$embedforge" doctor
title "convert $model (no Python, no PyTorch) and verify against the checkpoint"
"$embedforge" convert "$model" -o "$out/minilm" --verify
title "inspect"
"$embedforge" inspect "$out/minilm"
title "similarity to: A man is playing a guitar on the stage."
"$embedforge" similarity "$out/minilm" "A man is playing a guitar on the stage." \
  "Someone performs music in front of an audience." \
  "A woman is slicing a tomato in the kitchen." \
  "The musician tunes his instrument before the concert." \
  "Interest rates rose by a quarter of a percent."

# Real English prose: the paragraphs of the documentation that Python carries, cut to 5 to 400 words.
python3 - "$out" <<'PY'
import pydoc_data.topics as topics
import random
import re
import sys

draw = random.Random(11)
words = re.sub(r"\s+", " ", " ".join(topics.topics.values())).split(" ")
at, passages = 0, []
while len(passages) < 600:
    count = int(min(400, max(5, draw.lognormvariate(4.1, 0.8))))
    at = at if at + count <= len(words) else draw.randrange(500)
    passages.append(" ".join(words[at : at + count]))
    at += count
with open(sys.argv[1] + "/passages.txt", "w", encoding="utf-8") as file:
    file.write("\n".join(passages) + "\n")
with open(sys.argv[1] + "/sentences.txt", "w", encoding="utf-8") as file:
    file.writelines(f"Sample document number {i} with some content.\n" for i in range(4000))
PY

# seconds COMMAND...: how long it took.
seconds() {
  local begin end
  begin=$(date +%s.%N)
  "$@"
  end=$(date +%s.%N)
  awk -v a="$begin" -v b="$end" 'BEGIN { print b - a }'
}

title "encode in float32, PyTorch-free (loading the model is taken off)"
: > "$out/none.txt"
load=$(seconds "$embedforge" encode "$out/minilm" --input "$out/none.txt" --output "$out/none.npy")
printf '%-34s %8s %10s %10s\n' "texts" "count" "seconds" "texts/s"
for name in sentences passages; do
  took=$(seconds "$embedforge" encode "$out/minilm" --input "$out/$name.txt" --output "$out/$name.npy")
  count=$(wc -l < "$out/$name.txt")
  awk -v n="$name" -v c="$count" -v t="$took" -v l="$load" \
    'BEGIN { s = t - l; printf "%-34s %8d %10.2f %10.0f\n", n, c, s, c / s }'
done
printf '%-34s %8s %10.2f\n' "loading the model" "" "$load"
title "sizes"
du -b "$(readlink -f "$("$embedforge" doctor | sed -n 's/^hub cache *//p')/models--sentence-transformers--all-MiniLM-L6-v2/snapshots"/*/model.safetensors)" "$out/minilm/onnx/model.onnx" |
  awk '{ printf "%8.1f MB  %s\n", $1 / 1e6, $2 }'
