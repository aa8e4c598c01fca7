#!/usr/bin/env bash
# bench/serve_load.py's wrk table with text-embeddings-inference in Docker beside `embedforge serve`, for a machine that can pull its image
# (ours can't, so no figure of it is in docs/results.md). Both servers have the cores SERVER_CORES, wrk has CLIENT_CORES.
#
#   bench/serve_tei.sh DIR              DIR: of an earlier run of bench/serve_load.py (its bodies and models)
#
# SERVER_CORES=0 CLIENT_CORES=1 SECONDS_EACH=5 ROUNDS=3 IMAGE=ghcr.io/huggingface/text-embeddings-inference:cpu-1.9
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,7p' "$0"; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$(cd "$1" && pwd)
server_cores=${SERVER_CORES:-0} client_cores=${CLIENT_CORES:-1} seconds=${SECONDS_EACH:-5} rounds=${ROUNDS:-3}
image=${IMAGE:-ghcr.io/huggingface/text-embeddings-inference:cpu-1.9}
cores=$(taskset -c "$server_cores" nproc)

# Its best settings for this load: one tokenizing thread a core, no limit of a client's batch, room for 512 connections; the ONNX file at onnx/model.onnx.
docker run -d --rm --name serve_tei --cpuset-cpus "$server_cores" -p 127.0.0.1:9301:80 -v "$dir/model/minilm:/model:ro" \
  -e OMP_NUM_THREADS="$cores" "$image" --model-id /model --pooling mean --auto-truncate --max-concurrent-requests 1024 \
  --max-client-batch-size 512 --tokenization-workers "$cores" > /dev/null
ours=()
for number in float32 int8; do
  port=$((9302 + ${#ours[@]}))
  file=onnx/model.onnx
  [ "$number" = float32 ] || file=onnx/model_qint8_dynamic.onnx
  taskset -c "$server_cores" "${EMBEDFORGE:-$root/build/embedforge}" serve "$dir/model/minilm" --file "$file" --port "$port" --log-level error &
  ours+=($!)
done
trap 'docker stop serve_tei > /dev/null; kill "${ours[@]}"' EXIT
for port in 9301 9302 9303; do
  until curl -sf "http://127.0.0.1:$port/health" > /dev/null; do sleep 0.2; done
done

names=([9301]="text-embeddings-inference float32" [9302]="embedforge float32" [9303]="embedforge int8")
for round in $(seq "$rounds"); do
  for texts in short mixed; do
    for connections in 1 64 512; do
      for port in "${!names[@]}"; do
        made=$(taskset -c "$client_cores" wrk -t1 -c"$connections" -d"${seconds}s" --timeout 30s -s "$root/bench/serve_load.lua" \
          "http://127.0.0.1:$port/v1/embeddings" -- "$dir/$texts.jsonl" | grep '^{')
        python3 -c '
import json, sys
made = json.loads(sys.argv[1])
print(*sys.argv[2:], "%.0f texts/s, p50 %.2f ms, refused %d" % (made["good"] / made["seconds"], made["p50"], made["busy"]), sep="\t")' \
          "$made" "$round" "$texts" "$connections" "${names[$port]}"
      done
    done
  done
done
