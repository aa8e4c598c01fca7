"""Sizes and cosines of quantized files, natively and in ONNX Runtime, beside what ONNX Runtime, NNCF and CTranslate2 make.

    build/venv/bin/python bench/quantize_table.py MODEL [--calibration texts.txt] [--sts pairs.csv] [--qat]

MODEL is a checkpoint's folder, or a hub id in the cache. NNCF and CTranslate2 have their rows where they are installed
(pip install nncf ctranslate2 transformers). The texts that are judged are 160 passages of the
Python documentation and 64 short sentences; without --calibration other passages of the same source and other
short sentences are the calibration texts. --sts, a file of lines "sentence,sentence,score", adds the Spearman correlation
of each file's cosines with the scores, times 100; --qat adds quantization-aware training (some minutes).
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from machine import processor
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from prose import passages
from scipy.stats import rankdata
from tokenizers import Tokenizer

import embedforge


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


Vectors = Callable[[list[str]], np.ndarray]


def feed_of(tokenizer: Tokenizer, texts: list[str]) -> dict[str, np.ndarray]:
    """The model's inputs for a padded batch."""
    encoded = tokenizer.encode_batch(texts)
    ids = np.array([e.ids for e in encoded], np.int64)
    mask = np.array([e.attention_mask for e in encoded], np.int64)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def pooled_vectors(
    hidden_of: Callable[[dict[str, np.ndarray]], np.ndarray], tokenizer: Tokenizer
) -> Vectors:
    """Mean-pooled unit vectors, eight texts a padded batch."""

    def vectors(texts: list[str]) -> np.ndarray:
        rows = []
        for begin in range(0, len(texts), 8):
            feed = feed_of(tokenizer, texts[begin : begin + 8])
            rows.append((hidden_of(feed) * feed["attention_mask"][..., None]).sum(1))
        out = np.concatenate(rows)
        return out / np.linalg.norm(out, axis=1, keepdims=True)

    return vectors


def runtime_vectors(file: Path, tokenizer: Tokenizer) -> Vectors:
    """By ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options)
    names = {i.name for i in session.get_inputs()}
    return pooled_vectors(
        lambda feed: session.run(None, {k: v for k, v in feed.items() if k in names})[0], tokenizer
    )


def static_as_usual(source: Path, tokenizer: Tokenizer, texts: list[str], out: Path) -> None:
    """ONNX Runtime's static quantization of everything, as its documentation has it."""

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.feeds = iter([feed_of(tokenizer, [text]) for text in texts])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.feeds, None)

    prepared = out.with_suffix(".prepared.onnx")
    quant_pre_process(source, prepared, skip_symbolic_shape=True)
    quantize_static(prepared, out, Reader(), weight_type=QuantType.QInt8)


def by_nncf(source: Path, tokenizer: Tokenizer, texts: list[str], out: Path) -> None:
    import nncf

    data = nncf.Dataset(texts, lambda text: feed_of(tokenizer, [text]))
    model = nncf.quantize(
        onnx.load(source), data, model_type=nncf.ModelType.TRANSFORMER, subset_size=len(texts)
    )
    onnx.save(model, out)


def by_ctranslate2(checkpoint: str, tokenizer: Tokenizer, out: Path) -> tuple[float, Vectors]:
    """Size in MB, and its vectors, which only CTranslate2 can compute."""
    import ctranslate2

    ctranslate2.converters.TransformersConverter(checkpoint).convert(str(out), quantization="int8")
    encoder = ctranslate2.Encoder(str(out))

    def hidden_of(feed: dict[str, np.ndarray]) -> np.ndarray:
        ids = [
            row[mask == 1].tolist()
            for row, mask in zip(feed["input_ids"], feed["attention_mask"], strict=True)
        ]
        return np.array(encoder.forward_batch(ids).last_hidden_state)

    size = sum(f.stat().st_size for f in out.rglob("*.bin")) / 1e6
    return size, pooled_vectors(hidden_of, tokenizer)


def spearman(vectors: Vectors, pairs: list[list[str]]) -> float:
    """Of the cosines with the scores, times 100."""
    left, right = (vectors([pair[i] for pair in pairs]) for i in (0, 1))
    ranks = [rankdata(x) for x in ((left * right).sum(axis=1), [float(p[2]) for p in pairs])]
    return float(100 * np.corrcoef(ranks)[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--sts", type=Path)
    parser.add_argument("--qat", action="store_true")
    flags = parser.parse_args()
    all_passages = passages(700, seed=11)
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

        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(256)
        tokenizer.enable_padding()
        few = calibration[:100]
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
            "ONNX Runtime static, 100 texts": lambda out: static_as_usual(
                source, tokenizer, few, out
            ),
        }
        if flags.qat:
            recipes["embedforge qat"] = ours(method="qat", calibration=calibration)
        if importlib.util.find_spec("nncf"):
            recipes["NNCF, 100 texts"] = lambda out: by_nncf(source, tokenizer, few, out)
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

        def figures(vectors: Vectors) -> list[str]:
            cells = []
            for kind, texts in judged.items():
                cosines = (expected[kind] * vectors(texts)).sum(axis=1)
                cells.append(f"{cosines.mean():.5f} / {cosines.min():.5f}")
            return [*cells, f"{spearman(vectors, pairs):.2f}"] if pairs else cells

        for name, recipe in recipes.items():
            out = folder / "onnx" / "quantized.onnx"
            started = time.perf_counter()
            recipe(out)
            seconds = time.perf_counter() - started
            cells = [name, f"{out.stat().st_size / 1e6:.1f}", f"{seconds:.1f}"]
            try:
                native = embedforge.Embedder(folder, file="onnx/quantized.onnx")
                cells += figures(native.encode)
            except embedforge.errors.NotSupportedError:
                cells += ["not supported"] * (len(judged) + bool(pairs))
            cells += figures(runtime_vectors(out, tokenizer))
            print("| " + " | ".join(cells) + " |", flush=True)
        if importlib.util.find_spec("ctranslate2"):
            started = time.perf_counter()
            size, vectors = by_ctranslate2(flags.model, tokenizer, folder / "ctranslate2")
            seconds = time.perf_counter() - started
            cells = ["CTranslate2 (in its own runtime)", f"{size:.1f}", f"{seconds:.1f}"]
            cells += ["-"] * (len(columns) - 3 - len(judged) - bool(pairs)) + figures(vectors)
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
