"""Sizes and cosines of quantized files, natively and in ONNX Runtime, beside ONNX Runtime's own int8.

    build/venv/bin/python bench/quantize_table.py MODEL [--calibration texts.txt] [--sts pairs.csv] [--qat]

MODEL is a folder that embedforge convert wrote, or a hub id in the cache. The texts that are judged are 160 passages of the
Python documentation and 64 short sentences; without --calibration other passages of the same source and other
short sentences are the calibration texts. --sts, a file of lines "sentence,sentence,score", adds the Spearman correlation
of each file's cosines with the scores, times 100; --qat adds quantization-aware training (some minutes).
"""

from __future__ import annotations

import argparse
import csv
import platform
import pydoc_data.topics
import random
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from scipy.stats import rankdata
from tokenizers import Tokenizer

import embedforge


def passages(count: int) -> list[str]:
    """Consecutive pieces of 5 to 400 words, log-normal in length."""
    rng = random.Random(11)
    words = re.sub(r"\s+", " ", " ".join(pydoc_data.topics.topics.values())).split(" ")
    out, at = [], 0
    while len(out) < count:
        size = int(min(400, max(5, rng.lognormvariate(4.1, 0.8))))
        if at + size > len(words):
            at = rng.randrange(500)
        out.append(" ".join(words[at : at + size]))
        at += size
    return out


def short_sentences() -> list[str]:
    people = ["A man", "The teacher", "My sister", "Nobody", "The old dog", "A child", "We", "They"]
    acts = [
        "plays a guitar",
        "read the letter",
        "went home early",
        "likes the rain",
        "is cooking rice",
    ]
    ends = ["in the park.", "on Monday.", "without a word."]
    return [f"{p} {a} {e}" for e in ends for a in acts for p in people]


def runtime_vectors(file: Path, tokenizer: Tokenizer, texts: list[str]) -> np.ndarray:
    """Mean-pooled unit vectors, eight texts a padded batch."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options)
    names = {i.name for i in session.get_inputs()}
    rows = []
    for begin in range(0, len(texts), 8):
        encoded = tokenizer.encode_batch(texts[begin : begin + 8])
        ids = np.array([e.ids for e in encoded], np.int64)
        mask = np.array([e.attention_mask for e in encoded], np.int64)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = session.run(None, {k: v for k, v in feed.items() if k in names})[0]
        rows.append((hidden * mask[..., None]).sum(1))
    out = np.concatenate(rows)
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def spearman(vectors: Callable[[list[str]], np.ndarray], pairs: list[list[str]]) -> float:
    """Of the cosines with the scores, times 100."""
    left, right = (vectors([pair[i] for pair in pairs]) for i in (0, 1))
    ranks = [rankdata(x) for x in ((left * right).sum(axis=1), [float(p[2]) for p in pairs])]
    return float(100 * np.corrcoef(ranks)[0, 1])


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--sts", type=Path)
    parser.add_argument("--qat", action="store_true")
    flags = parser.parse_args()
    all_passages = passages(700)
    short = short_sentences()
    judged = {"passages": all_passages[:160], "short": short[:64]}
    calibration = all_passages[200:] + short[64:] * 2
    if flags.calibration:
        calibration = flags.calibration.read_text().splitlines()
    random.Random(3).shuffle(calibration)
    pairs = []
    if flags.sts:
        with flags.sts.open(newline="", encoding="utf-8") as file:
            pairs = [row for row in csv.reader(file) if len(row) == 3]

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        embedforge.convert(flags.model, folder)
        source = folder / "onnx" / "model.onnx"

        def ours(**options: Any) -> Callable[[Path], object]:
            return lambda out: embedforge.quantize(folder, out, **options)

        def theirs(per_channel: bool) -> Callable[[Path], object]:
            return lambda out: quantize_dynamic(
                source, out, weight_type=QuantType.QInt8, per_channel=per_channel
            )

        recipes = {
            "embedforge dynamic, nearest": ours(default_texts="none"),
            "embedforge dynamic, no texts given": ours(),
            "embedforge dynamic, 100 texts": ours(calibration=calibration),
            "embedforge dynamic, 100 texts, reduced range": ours(
                calibration=calibration, reduce_range=True
            ),
            "embedforge static, 100 texts": ours(method="static", calibration=calibration),
            "ONNX Runtime dynamic, usual": theirs(False),
            "ONNX Runtime dynamic, per channel": theirs(True),
        }
        if flags.qat:
            recipes["embedforge qat"] = ours(method="qat", calibration=calibration)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(256)
        tokenizer.enable_padding()
        model = embedforge.Embedder(folder)
        expected = {name: model.encode(texts) for name, texts in judged.items()}
        print(f"{processor()}; float32 {source.stat().st_size / 1e6:.1f} MB; cosine mean / min\n")
        columns = ["file", "MB", "seconds"]
        for runtime in ("native", "ONNX Runtime"):
            columns += [f"{kind}, {runtime}" for kind in judged]
            columns += [f"STS, {runtime}"] if pairs else []
        if pairs:
            print(f"float32 STS: {spearman(model.encode, pairs):.2f}\n")
        print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
        for name, recipe in recipes.items():
            out = folder / "onnx" / "quantized.onnx"
            started = time.perf_counter()
            recipe(out)
            seconds = time.perf_counter() - started
            native = embedforge.Embedder(folder, file="onnx/quantized.onnx")
            cells = [name, f"{out.stat().st_size / 1e6:.1f}", f"{seconds:.1f}"]
            for vectors in (native.encode, lambda t, f=out: runtime_vectors(f, tokenizer, t)):
                for kind, texts in judged.items():
                    cosines = (expected[kind] * vectors(texts)).sum(axis=1)
                    cells.append(f"{cosines.mean():.5f} / {cosines.min():.5f}")
                if pairs:
                    cells.append(f"{spearman(vectors, pairs):.2f}")
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
