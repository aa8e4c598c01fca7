"""The guide's tables (sizes, latency, throughput, quality) with what this machine measures beside what the guide claims.

    build/venv/bin/python tools/results.py [--python PYTHON] [--sts pairs.csv] [--rounds N] [--out docs/results.md]
    tools/results.py --compare OLD.json NEW.json

PYTHON is the interpreter with the peers' packages (torch, onnxruntime, openvino, ctranslate2). The first form builds on
`embedforge bench` and `embedforge eval`, takes half an hour, more on a machine whose speed changes, and keeps the bench's JSON in build/; the second says
how far the ratios of two runs are apart. Sizes of the bge models are those of checkpoints with their shapes and random values.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from random_checkpoint import random_checkpoint

ROOT = Path(__file__).resolve().parent.parent
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
CLAIMED_SIZES = {  # MB: PyTorch, ONNX, ONNX quantized; then layers and width
    "all-MiniLM-L6-v2": ((91, 91, 23), (6, 384)),
    "bge-small-en-v1.5": ((133, 133, 34), (12, 384)),
    "bge-base-en-v1.5": ((438, 438, 110), (12, 768)),
    "bge-large-en-v1.5": ((1300, 1300, 335), (24, 1024)),
}
# Row of the guide, engine here, milliseconds claimed for batches of 1, 8 and 32; None: the guide doesn't have it.
LATENCY: list[tuple[str, str, tuple[float, ...] | None]] = [
    ("PyTorch CPU", "torch", (20, 80, 200)),
    ("ONNX CPU", "native", (4, 12, 35)),
    ("ONNX CPU, bfloat16", "native:bf16", None),
    ("ONNX Quantized", "native:int8", (1.5, 5, 15)),
    ("ONNX Runtime, float32", "onnxruntime", None),
    ("ONNX Runtime, int8", "onnxruntime:int8", None),
    ("OpenVINO, float32", "openvino", None),
    ("OpenVINO, int8", "openvino:int8", None),
    ("CTranslate2, int8", "ctranslate2", None),
]
Report = dict[str, Any]


class Tool:
    def __init__(self, program: Path) -> None:
        self.program = program

    def __call__(self, *arguments: object) -> str:
        done = subprocess.run(
            [self.program, *map(str, arguments)], check=False, stdout=subprocess.PIPE, text=True
        )
        if done.returncode != 0:
            sys.exit(f"embedforge {arguments[0]}: exit status {done.returncode}")
        return done.stdout


def row_of(report: Report, workload: str, engine: str) -> Report | None:
    for one in report["workloads"]:
        if one["name"] == workload:
            for row in one["rows"]:
                if row["engine"] == engine:
                    return dict(row)
    return None


def servers_part(path: Path) -> str:
    """What bench/serve_load.py wrote into it; it stays."""
    _, head, part = (path.read_text() if path.exists() else "").partition("## Servers under load\n")
    return f"\n{head}{part}" if head else ""


def ratio(row: Report) -> str:
    r = row["times_reference"]
    if r["low"] == r["high"]:
        return f"{r['value']:.2f}"
    return f"{r['value']:.2f} [{r['low']:.2f} {r['high']:.2f}]"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def sizes(tool: Tool, work: Path, converted: Path, report: Report) -> list[list[str]]:
    measured = {}
    bench = {e["name"]: e.get("file_bytes") for e in report["engines"]}
    for name, (_, (layers, width)) in CLAIMED_SIZES.items():
        if name == "all-MiniLM-L6-v2":
            measured[name] = [bench.get(e) for e in ("torch", "native", "native:int8")]
            continue
        checkpoint, out = work / name, work / "out"
        random_checkpoint(checkpoint, converted, "bert", layers, width)
        tool("convert", checkpoint, "-o", out)
        tool("quantize", out, "--calibration", "none")
        files = [checkpoint / "model.safetensors", *sorted((out / "onnx").glob("*.onnx"))]
        measured[name] = [file.stat().st_size for file in files]
        shutil.rmtree(out)
        shutil.rmtree(checkpoint)
    rows = []
    for name, values in measured.items():
        claims = CLAIMED_SIZES[name][0]
        cells = [
            f"{v / 1e6:.1f} ({c})" if v else f"- ({c})" for v, c in zip(values, claims, strict=True)
        ]
        rows.append([name, *cells])
    return rows


def latency(report: Report) -> list[list[str]]:
    rows = []
    for name, engine, claims in LATENCY:
        cells = []
        for i, batch in enumerate((1, 8, 32)):
            row = row_of(report, f"batch {batch}", engine)
            figure = f"{row['p50_ms']:.2f}" if row else "not measured"
            cells.append(figure + (f" ({claims[i]:g})" if claims else ""))
        rows.append([name, engine, *cells])
    return [*rows, ["ONNX GPU", "", "no GPU here (2)", "no GPU here (3)", "no GPU here (5)"]]


def throughput(report: Report, single: Report) -> list[list[str]]:
    rows = []
    threads = report["threads"]
    for name, source, count, engine, claim in (
        ("PyTorch CPU", single, 1, "torch", "50, single thread"),
        ("PyTorch CPU", report, threads, "torch", "-"),
        ("ONNX CPU", report, threads, "native", "250, 4 threads"),
        ("ONNX CPU, bfloat16", report, threads, "native:bf16", "-"),
        ("ONNX Quantized", report, threads, "native:int8", "650, 4 threads"),
        ("ONNX Runtime, float32", report, threads, "onnxruntime", "-"),
        ("ONNX Runtime, int8", report, threads, "onnxruntime:int8", "-"),
        ("OpenVINO, float32", report, threads, "openvino", "-"),
        ("OpenVINO, int8", report, threads, "openvino:int8", "-"),
        ("CTranslate2, int8", report, threads, "ctranslate2", "-"),
    ):
        cells = []
        for workload in ("1000 sentences", "400 passages"):
            row = row_of(source, workload, engine)
            cells += [f"{row['texts_per_second']:.0f}", ratio(row)] if row else ["not measured", ""]
        cosine = row["cosine"] if row else None
        quality = f"{cosine['mean']:.5f} / {cosine['min']:.5f}" if cosine else ""
        rows.append([name, engine, str(count), claim, *cells, quality])
    return [*rows, ["ONNX GPU", "", "", "2000, RTX 3080", "no GPU here", "", "", "", ""]]


def quality(tool: Tool, converted: Path, report: Report, sts: Path | None) -> list[list[str]]:
    rows = []
    scored = ["--sts", sts] if sts else []
    for name, method, cosine, mteb in (
        ("None (FP32)", "", "1.000", "56.0"),
        ("Dynamic INT8", "dynamic", "0.9998", "55.9"),
        ("Static INT8", "static", "0.9995", "55.8"),
    ):
        model = ["--backend", "native"]
        if method:
            tool("quantize", converted, "--method", method, "--calibration", "builtin")
            model = ["--file", f"onnx/model_qint8_{method}.onnx"]
        else:
            model += ["--against-file", "onnx/model.onnx"]
        found = json.loads(
            tool("eval", converted, *model, "--texts", "passages", *scored, "--json", "-")
        )
        c = found["cosine"]
        spearman = f"{found['spearman']['model']:.2f}" if scored else "not measured"
        kept = f"{found['neighbour_overlap_at_10']:.3f}"
        if not method:  # the float32 file itself: beside PyTorch, by the benchmark
            row = row_of(report, "400 passages", "native")
            c, kept = (row["cosine"] if row else c), "-"
        figures = f"{c['mean']:.5f} / {c['min']:.5f} ({cosine})"
        rows.append([name, figures, kept, spearman, mteb])
    return rows


def compare(old: Path, new: Path) -> None:
    first, second = json.loads(old.read_text()), json.loads(new.read_text())
    worst = 0.0
    for one in first["workloads"]:
        for row in one["rows"]:
            other = row_of(second, one["name"], row["engine"])
            if other is None:
                continue
            change = other["times_reference"]["value"] / row["times_reference"]["value"] - 1
            worst = max(worst, abs(change))
            print(
                f"{one['name']:16} {row['engine']:18} {ratio(row):24} {ratio(other):24} {change:+.1%}"
            )
    print(f"largest change of a ratio: {worst:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--embedforge", type=Path, default=ROOT / "build" / "embedforge")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--sts", type=Path)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results.md")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("OLD", "NEW"))
    flags = parser.parse_args()
    if flags.compare:
        compare(*flags.compare)
        return
    tool = Tool(flags.embedforge)
    kept = ROOT / "build" / "results.json"
    bench = ("bench", MODEL, "--python", flags.python)
    rounds = ("--rounds", flags.rounds) if flags.rounds else ()
    tool(*bench, *rounds, "--json", kept, "--plot", flags.out.with_suffix(".svg"))
    report = json.loads(kept.read_text())
    few = ("--rounds", flags.rounds or 5, "--threads", 1, "--against", "torch", "--json", "-")
    single = json.loads(tool(*bench, *few))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        converted = work / "minilm"
        tool("convert", MODEL, "-o", converted)
        quality_rows = quality(tool, converted, report, flags.sts)
        size_rows = sizes(tool, work, converted, report)
    machine = report["machine"]
    missing = [f"{e['name']} ({e['missing']})" for e in report["engines"] if "missing" in e]
    others = machine["load"] > 0.3 * machine["threads_allowed"]
    busy = " Others may have been at work: look at the intervals." if others else ""
    flags.out.write_text(
        f"""# The guide's tables, measured

By `tools/results.py`: {machine["processor"]} ({machine["features"]}; kernels `{machine["kernels"]}`), {report["threads"]} threads of {machine["processors"]}
processors, {machine["time"]}, load {machine["load"]:.2f} before.{busy} Figures are measured here, those in parentheses the
guide's, from a machine that it doesn't name. How it is measured: [benchmarking.md](benchmarking.md). Not measured here: {", ".join(missing) or "nothing"}.

![speeds and cosines of the engines](results.svg)

## Sizes, MB

{table(["model", "PyTorch", "ONNX", "ONNX Quantized"], size_rows)}
The bge rows are checkpoints of those shapes with random values: a file's size doesn't depend on them.

## Latency of {MODEL.split("/")[1]}, ms (p50)

{table(["backend", "engine", "batch 1", "batch 8", "batch 32"], latency(report))}
## Throughput, texts a second

{table(["backend", "engine", "threads", "guide", "1000 sentences", "x PyTorch [95 %]", "400 passages", "x PyTorch [95 %]", "cosine to PyTorch on passages, mean / min"], throughput(report, single))}
Ratios are to PyTorch with as many threads.

## Quality retention

{table(["quantization", "cosine to float32 on 400 passages, mean / min", "nearest 10 kept", "Spearman x 100, STS benchmark (dev)", "guide's MTEB score"], quality_rows)}
MTEB's data sets are not on this machine; the STS benchmark is one of its tasks. Both files are quantized with the texts that come with
the command (`--calibration builtin`). The float32 row is the native engine beside PyTorch, the others beside float32.
{servers_part(flags.out)}"""
    )
    print(f"{flags.out} is written, and {kept}")


if __name__ == "__main__":
    main()
