"""Sizes and speeds of the guide's models, for docs/models.md: all-MiniLM-L6-v2 itself, the others by their shapes and random values.

    build/venv/bin/python tools/models_table.py [--python PYTHON] [--rounds 3] [--only NAME,..] [--page docs/models.md]

PYTHON is the interpreter with the peers' packages (torch, onnxruntime). Each model is converted, quantized and measured by
`embedforge bench` with few texts, since the large ones take a second a text; its figures go to build/models_table/NAME.json,
and the page's sections Sizes and Speed are written from all that are there. Needs 10 GB of disk for a while.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from random_checkpoint import random_checkpoint
from results import CLAIMED_SIZES, MODEL, row_of, table

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "bench"))
from prose import passages  # noqa: E402

KEPT = ROOT / "build" / "models_table"
ENGINES = {
    "torch": "PyTorch",
    "onnxruntime": "ONNX Runtime",
    "onnxruntime:int8": "ONNX Runtime, int8",
    "native": "embedforge",
    "native:bf16": "embedforge, bfloat16",
    "native:int8": "embedforge, int8",
}


@dataclass
class Shape:
    kind: str  # of random_checkpoint; "" for the real model
    layers: int
    width: int
    sentences: int  # texts to measure with
    passages: int


MODELS = {
    "all-MiniLM-L6-v2": Shape("", 6, 384, 256, 96),
    "bge-small-en-v1.5": Shape("bert", 12, 384, 128, 64),
    "bge-base-en-v1.5": Shape("bert", 12, 768, 64, 32),
    "bge-large-en-v1.5": Shape("bert", 24, 1024, 16, 16),
    "nomic-embed-text-v1.5": Shape("nomic", 12, 768, 64, 32),
}


class Tool:
    """The command, with a cache of its own: what bench makes of these models is of no use later."""

    def __init__(self, program: Path, cache: Path) -> None:
        self.program, self.environment = program, {**os.environ, "EMBEDFORGE_CACHE": str(cache)}

    def __call__(self, *arguments: object) -> float:
        """Seconds."""
        begin = time.perf_counter()
        command = [str(self.program), *map(str, arguments)]
        done = subprocess.run(command, check=False, stdout=sys.stderr, env=self.environment)
        if done.returncode != 0:
            sys.exit(f"embedforge {arguments[0]}: exit status {done.returncode}")
        return time.perf_counter() - begin


def cached(program: Path) -> Path:
    """The folder of all-MiniLM-L6-v2."""
    done = subprocess.run([program, "models", "--json"], check=True, stdout=subprocess.PIPE)
    for model in json.loads(done.stdout)["cached"]:
        if model["id"] == MODEL:
            return Path(model["folder"])
    sys.exit(f"{MODEL} is not in the cache; ./dev demo brings it (HF_HOME is build/hf)")


def workloads(work: Path, shape: Shape) -> list[Path]:
    """Files with the first of the sentences and passages that bench has."""
    sentences = [f"Sample document number {i} with some content." for i in range(shape.sentences)]
    files = [work / "sentences", work / "passages"]
    for file, texts in zip(files, (sentences, passages(shape.passages, seed=7)), strict=True):
        file.write_text("\n".join(texts) + "\n")
    return files


def measure(tool: Tool, shape: Shape, minilm: Path, work: Path, options: list[object]) -> Any:
    """Sizes, seconds, and bench's report."""
    source, out = minilm, work / "converted"
    if shape.kind:
        source = work / "checkpoint"
        random_checkpoint(source, minilm, shape.kind, shape.layers, shape.width)
    seconds = [tool("convert", source, "-o", out), tool("quantize", out)]
    files = (source / "model.safetensors", *sorted((out / "onnx").glob("*.onnx")))
    report = work / "report.json"
    texts = ",".join(map(str, workloads(work, shape)))
    against = ("--against", "torch,onnxruntime,onnxruntime:int8", "--workload", texts)
    tool("bench", out, "--checkpoint", source, *against, *options, "--json", report)
    return {
        "bytes": [file.stat().st_size for file in files],
        "seconds": seconds,
        "bench": json.loads(report.read_text()),
    }


def size_row(name: str, result: Any) -> list[str]:
    claims = CLAIMED_SIZES[name][0] if name in CLAIMED_SIZES else ()
    cells = [f"{size / 1e6:.1f}" for size in result["bytes"]]
    for i, claim in enumerate(claims):
        cells[i] += f" ({claim})"
    return [name, *cells, *(f"{seconds:.1f}" for seconds in result["seconds"])]


def speed_row(name: str, engine: str, report: Any) -> list[str]:
    first, *_, sentences, passages = (each["name"] for each in report["workloads"])
    row = row_of(report, passages, engine)
    if row is None:
        reason = next(e.get("missing", "") for e in report["engines"] if e["name"] == engine)
        return [
            name,
            ENGINES[engine],
            f"not available: {reason.split(' but ')[0][:100]}",
            "",
            "",
            "",
            "",
        ]

    def figure(workload: str, key: str) -> str:
        return f"{(row_of(report, workload, engine) or {})[key]:.1f}"

    def times(other: str) -> str:
        peer = row_of(report, passages, other)
        if peer is None or row is None:
            return ""
        return f"{row['times_reference']['value'] / peer['times_reference']['value']:.2f}"

    speeds = [figure(workload, "texts_per_second") for workload in (sentences, passages)]
    return [
        *(name, ENGINES[engine], figure(first, "p50_ms"), *speeds),
        *(times("torch"), times("onnxruntime")),
    ]


def sections(results: dict[str, Any]) -> str:
    last = list(results.values())[-1]["bench"]
    machine = last["machine"]
    loads = [result["bench"]["machine"]["load"] for result in results.values()]
    sizes = table(
        ["model", "checkpoint", "ONNX", "int8", "convert, s", "quantize, s"],
        [size_row(name, result) for name, result in results.items()],
    )
    speeds = table(
        [
            "model",
            "engine",
            "one sentence, ms",
            "sentences/s",
            "passages/s",
            "x PyTorch",
            "x ONNX Runtime",
        ],
        [speed_row(n, engine, r["bench"]) for n, r in results.items() for engine in ENGINES],
    )
    return f"""## Sizes

MB (10^6 bytes), the guide's in parentheses, by `tools/models_table.py` on the machine below. all-MiniLM-L6-v2 is the real one; the others are
checkpoints of those shapes with random values, on which sizes and speeds don't depend. BERT's ONNX files are smaller than
checkpoints by the pooler, which no embedding needs.

{sizes}
## Speed

By `tools/models_table.py` ({machine["processor"]}: {machine["features"]}; kernels `{machine["kernels"]}`; {last["threads"]} threads, {last["workloads"][0]["rounds"]} rounds in turn, {machine["time"]},
load before {min(loads):.1f} to {max(loads):.1f}): medians of one sentence of about ten tokens, texts a second of some sentences and of some passages of 5 to 400
words, each engine at its best setting ([benchmarking.md](benchmarking.md)), int8 files as `embedforge quantize` and ONNX Runtime's quantize_dynamic make them; the
last columns are ratios on passages.

{speeds}"""


def write_page(page: Path, text: str) -> None:
    """In place of the sections Sizes and Speed."""
    parts = re.split(r"(?m)^(?=## )", page.read_text())
    kept = [part for part in parts if not part.startswith("## Speed\n")]
    kept[[part.startswith("## Sizes\n") for part in kept].index(True)] = text + "\n"
    page.write_text("".join(kept))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--embedforge", type=Path, default=ROOT / "build" / "embedforge")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(MODELS))
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "models.md")
    flags = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    minilm = cached(flags.embedforge)
    options = ["--python", flags.python, "--rounds", flags.rounds]
    for name in flags.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            tool = Tool(flags.embedforge, work / "cache")
            print(name, file=sys.stderr)
            result = measure(tool, MODELS[name], minilm, work, options)
            (KEPT / f"{name}.json").write_text(json.dumps(result))
    kept = {name: KEPT / f"{name}.json" for name in MODELS}
    results = {n: json.loads(file.read_text()) for n, file in kept.items() if file.exists()}
    write_page(flags.page, sections(results))
    print(f"{flags.page} is written, and {KEPT}")


if __name__ == "__main__":
    main()
