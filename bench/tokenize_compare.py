"""The speed of one thread beside the `tokenizers` package, in one run: python bench/tokenize_compare.py [MINILM_FOLDER]

Trains a tokenizer for each style of python/tests/test_tokenizer_parity.py, and times build/tokenize_bench and the package
(encode_batch_fast: ids only, TOKENIZERS_PARALLELISM=false) in turns on English passages and on mixed scripts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "python" / "tests"))

from tokenizers import Tokenizer  # noqa: E402

import test_tokenizer_parity as parity  # noqa: E402
from texts import passages  # noqa: E402

ROUNDS = 3


def one_line(text: str) -> str:
    return "".join(" " if c in "\n\r\x00" else c for c in text)


def theirs(t: Tokenizer, texts: list[str]) -> float:
    start = time.perf_counter()
    t.encode_batch_fast(texts)
    return sum(len(text.encode()) for text in texts) / (time.perf_counter() - start)


def ours(tokenizer: Path, texts: Path) -> float:
    done = subprocess.run(
        [
            ROOT / "build" / "tokenize_bench",
            "--benchmark_filter=append_ids",
            "--benchmark_format=json",
        ],
        env=os.environ | {"EMBEDFORGE_TOKENIZER": str(tokenizer), "EMBEDFORGE_TEXTS": str(texts)},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(json.loads(done.stdout)["benchmarks"][0]["bytes_per_second"])


def main() -> None:
    workloads = {
        "passages": [one_line(text) for text in passages()],
        "mixed scripts": [one_line(t) for t in parity.fuzzed(5000, 1) + parity.LANGUAGES * 50],
    }
    makers = {style.__name__: style for style in parity.STYLES}
    if len(sys.argv) > 1:
        makers["MiniLM"] = lambda: Tokenizer.from_file(str(Path(sys.argv[1]) / "tokenizer.json"))
    print(f"{'tokenizer':12} {'texts':14} {'package':>10} {'embedforge':>12} {'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name, make in makers.items():
            t = make()
            t.no_padding()
            t.no_truncation()
            file = Path(folder) / "tokenizer.json"
            t.save(str(file))
            for workload, texts in workloads.items():
                lines = Path(folder) / "texts.txt"
                lines.write_text("\n".join(texts), newline="\n")
                best = [0.0, 0.0]
                for _ in range(ROUNDS):
                    best = [max(best[0], theirs(t, texts)), max(best[1], ours(file, lines))]
                mb = [speed / 1e6 for speed in best]
                print(
                    f"{name:12} {workload:14} {mb[0]:7.2f} MB/s {mb[1]:7.1f} MB/s {mb[1] / mb[0]:7.1f}x"
                )


if __name__ == "__main__":
    main()
