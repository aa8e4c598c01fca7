"""What a file job costs beside encode() of the same texts: seconds and processor seconds, in turns in one process.

embed_overhead.py MODEL INPUT.jsonl [--rounds 3] [--compute auto]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from embedforge import Embedder, embed_file


def timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, processor = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("input")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compute", default="auto")
    given = parser.parse_args()
    with Path(given.input).open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    model = Embedder(given.model, compute=given.compute)
    model.encode(texts[:500])
    times: dict[str, list[tuple[float, float]]] = {"encode": [], "file": []}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "o.npy"
        for turn in range(given.rounds):
            order = ["encode", "file"] if turn % 2 == 0 else ["file", "encode"]
            for name in order:
                times[name].append(
                    timed(lambda: model.encode(texts))
                    if name == "encode"
                    else timed(lambda: embed_file(model, given.input, out, overwrite=True))
                )
    for name, pairs in times.items():
        wall, processor = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
        print(
            f"{name:7} {wall:7.2f} s {len(texts) / wall:8.0f}/s, {processor:7.2f} processor seconds"
        )
    ratios = [b[1] / a[1] for a, b in zip(times["encode"], times["file"], strict=True)]
    print(f"processor seconds, file / encode: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
