"""How speed grows with threads, and cost with length: two tables and a plot.

    build/venv/bin/python bench/scaling.py MODEL [--file onnx/model_qint8_dynamic.onnx ...] [--plot docs/scaling.svg]

MODEL is a folder that embedforge convert wrote. Threads go from one to those that this process may use; lengths from 16 to
512 tokens, one thread. Settings are measured in turn, round after round, and the medians are shown. The plot needs
matplotlib (pip install matplotlib).
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from machine import processor

import embedforge

ROUNDS = 5
LENGTHS = (16, 32, 64, 128, 256, 384, 512)
TOKENS_A_ROUND = 4096


def text_of(embedder: embedforge.Embedder, tokens: int) -> str:
    """A text of exactly so many tokens, the special ones included."""
    words = ["the", "river", "runs", "past", "an", "old", "mill", "to", "the", "sea"]
    text = " ".join(words[i % len(words)] for i in range(tokens - 2))
    if embedder.count_tokens(text) != tokens:
        raise SystemExit(f"scaling.py: the model's tokenizer splits the words of {tokens} tokens")
    return text


def medians(jobs: dict[int, Callable[[], object]]) -> list[float]:
    """Seconds of each job (by its number of threads or tokens), in turn, after a round that isn't counted."""
    seconds: dict[int, list[float]] = {name: [] for name in jobs}
    for counted in [False] + [True] * ROUNDS:
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            if counted:
                seconds[name].append(time.perf_counter() - started)
    return [statistics.median(times) for times in seconds.values()]


def thread_table(model: str, files: list[str]) -> dict[str, list[float]]:
    """Texts a second of each file with 1, 2, … threads."""
    most = len(os.sched_getaffinity(0))
    speeds: dict[str, list[float]] = {}
    for file in files:
        embedders = {
            n: embedforge.Embedder(model, file=file, threads=n) for n in range(1, most + 1)
        }
        texts = [text_of(embedders[1], 128)] * (16 * most)
        jobs = {n: lambda t=texts, e=e: e.encode(t) for n, e in embedders.items()}
        speeds[file] = [len(texts) / s for s in medians(jobs)]
    return speeds


def length_table(model: str, files: list[str]) -> dict[str, list[float]]:
    """Microseconds a token of each file, one thread, for texts of LENGTHS."""
    costs = {}
    for file in files:
        embedder = embedforge.Embedder(model, file=file, threads=1, max_length=max(LENGTHS))
        jobs = {}
        for length in LENGTHS:
            texts = [text_of(embedder, length)] * (TOKENS_A_ROUND // length)
            jobs[length] = lambda t=texts, e=embedder: e.encode(t)
        costs[file] = [
            1e6 * seconds / (TOKENS_A_ROUND // length * length)
            for length, seconds in zip(LENGTHS, medians(jobs), strict=True)
        ]
    return costs


def print_table(title: str, heads: list[str], rows: dict[str, list[float]], digits: int) -> None:
    print(f"| {title} | " + " | ".join(heads) + " |")
    print("|---" * (len(heads) + 1) + "|")
    for name, values in rows.items():
        print(f"| {name} | " + " | ".join(f"{v:.{digits}f}" for v in values) + " |")
    print()


def plot(path: Path, speeds: dict[str, list[float]], costs: dict[str, list[float]]) -> None:
    try:
        import matplotlib
    except ImportError:
        raise SystemExit("scaling.py: the plot needs matplotlib (pip install matplotlib)") from None
    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name, values in speeds.items():
        left.plot(range(1, len(values) + 1), values, marker="o", label=name)
    left.set(xlabel="threads", ylabel="texts of 128 tokens a second", ylim=(0, None))
    left.set_xticks(range(1, max(len(v) for v in speeds.values()) + 1))
    for name, values in costs.items():
        right.plot(LENGTHS, values, marker="o", label=name)
    right.set(xlabel="tokens a text", ylabel="microseconds a token, one thread", ylim=(0, None))
    right.set_xticks(LENGTHS[2:])
    left.legend()
    right.legend()
    figure.suptitle(f"{processor()}, {len(os.sched_getaffinity(0))} cores")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--file", action="append", help="of the model's folder (again for more)")
    parser.add_argument("--plot", type=Path, help="SVG file to write")
    flags = parser.parse_args()
    files = flags.file or ["onnx/model.onnx"]
    speeds = thread_table(flags.model, files)
    costs = length_table(flags.model, files)
    print(f"{processor()}, medians of {ROUNDS} rounds\n")
    counts = [str(n + 1) for n in range(max(len(v) for v in speeds.values()))]
    print_table("texts/s of 128 tokens, by threads", counts, speeds, 1)
    print_table("µs a token, by tokens a text", [str(n) for n in LENGTHS], costs, 1)
    if flags.plot:
        plot(flags.plot, speeds, costs)


if __name__ == "__main__":
    main()
