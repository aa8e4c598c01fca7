"""What Python costs: the same 1,000 short texts encoded by the C++ API and through Python, in turn.

    build/venv/bin/python bench/python_overhead.py MODEL [--rounds 15]

MODEL is a folder that embedforge convert wrote. Prints the median milliseconds of both and the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from machine import processor

import embedforge

PROGRAM = Path(__file__).resolve().parent.parent / "build" / "encode_time"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=15)
    flags = parser.parse_args()
    texts = [f"Sample document number {i} with some content." for i in range(1000)]
    embedder = embedforge.Embedder(flags.model)
    rows = []
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(texts))
        file.flush()
        with subprocess.Popen(
            [PROGRAM, flags.model, file.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as native:
            assert native.stdin
            assert native.stdout
            for _ in range(flags.rounds + 1):
                native.stdin.write("\n")
                native.stdin.flush()
                in_cpp = float(native.stdout.readline())
                started = time.perf_counter()
                vectors = embedder.encode(texts)
                rows.append((in_cpp, 1e3 * (time.perf_counter() - started)))
                assert vectors.shape[0] == len(texts)
            native.stdin.close()
    rows = rows[1:]  # the first warms up
    cpp, python = (statistics.median(column) for column in zip(*rows, strict=True))
    ratio = statistics.median(p / c for c, p in rows)
    print(f"{processor()}, {embedder.threads} threads, {flags.rounds} rounds in turn")
    print(f"C++ {cpp:.1f} ms, Python {python:.1f} ms, median ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
