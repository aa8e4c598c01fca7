"""What `embedforge optimize` makes of each exporter's graph of all-MiniLM-L6-v2, beside ONNX Runtime's own offline optimizer.

    optimize_table.py [--exporters embedforge,legacy14,..] [--rounds 7] [--threads N] [--texts 32] [--tokens 64] [--json F]

For each exporter and level: file size, seconds to load in ONNX Runtime, and texts a second in ONNX Runtime (with all of its own
optimizations at load) and in the native engine; in a second table nodes by operator. Speeds are medians of rounds that take each file in turn;
a round is `--texts` texts of `--tokens` tokens. `largest` is the largest difference to the unoptimized file's values, without ONNX Runtime's
optimizations. Run it as `./dev bench` runs: with the package installed and the model in the cache.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import embedforge

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]
WORD = "river"  # one token


def pytorch(dynamo: bool, opset: int, attention: str) -> Callable[[Path], None]:
    def export(path: Path) -> None:
        import torch
        from transformers import AutoModel

        class LastHidden(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = AutoModel.from_pretrained(MODEL, attn_implementation=attention).eval()

            def forward(self, input_ids, attention_mask, token_type_ids):  # type: ignore[no-untyped-def]
                return self.model(input_ids, attention_mask, token_type_ids).last_hidden_state

        example = tuple(torch.ones((2, 7), dtype=torch.long) for _ in INPUTS)
        axes = {0: "batch", 1: "sequence"}
        shapes = (
            {"dynamic_shapes": (axes,) * 3, "external_data": False, "verbose": False}
            if dynamo
            else {"dynamic_axes": dict.fromkeys([*INPUTS, "last_hidden_state"], axes)}
        )
        torch.onnx.export(
            LastHidden(),
            example,
            str(path),
            dynamo=dynamo,
            opset_version=opset,
            input_names=INPUTS,
            output_names=["last_hidden_state"],
            **shapes,
        )

    return export


def optimum(library: str) -> Callable[[Path], None]:
    def export(path: Path) -> None:  # in build/venv-exporters, which has Optimum
        from optimum.exporters.onnx import main_export

        with tempfile.TemporaryDirectory() as folder:
            main_export(MODEL, folder, library_name=library, task="feature-extraction")
            shutil.copy(Path(folder) / "model.onnx", path)

    return export


def ours(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(embedforge.convert(MODEL, folder).model, path)


def fused_by_runtime(source: Path, path: Path) -> None:
    from onnxruntime.transformers import optimizer

    model = optimizer.optimize_model(str(source), model_type="bert", num_heads=12, hidden_size=384)
    model.save_model_to_file(str(path))


def runtime_optimized(path: Path) -> None:
    source = path.with_suffix(".source")
    pytorch(False, 17, "eager")(source)
    fused_by_runtime(source, path)
    source.unlink()


EXPORTERS: dict[str, Callable[[Path], None]] = {
    "embedforge": ours,
    "legacy11": pytorch(False, 11, "eager"),
    "legacy14": pytorch(False, 14, "sdpa"),
    "legacy17": pytorch(False, 17, "sdpa"),
    "dynamo18": pytorch(True, 18, "sdpa"),
    "dynamo20": pytorch(True, 20, "sdpa"),
    "optimum": optimum("transformers"),
    "sentence-transformers": optimum("sentence_transformers"),
    "onnxruntime": runtime_optimized,
}


def session(path: Path, threads: int, optimized: bool) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feed(loaded: onnxruntime.InferenceSession, texts: int, tokens: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    lengths = np.full(texts, tokens)
    lengths[1::2] = random.integers(3, tokens, texts // 2)
    mask = (np.arange(tokens)[None, :] < lengths[:, None]).astype(np.int64)
    values = {
        "input_ids": random.integers(1000, 29000, (texts, tokens)) * mask,
        "attention_mask": mask,
        "token_type_ids": np.zeros_like(mask),
    }
    return {each.name: values[each.name] for each in loaded.get_inputs()}


def difference(reference: Path, path: Path) -> float:
    """Largest, at tokens, in the first output."""
    a, b = (session(each, 0, optimized=False) for each in (reference, path))
    inputs = feed(a, 32, 64)
    tokens = inputs["attention_mask"] != 0
    values = [each.run(None, inputs)[0] for each in (a, b)]
    return float(np.abs(values[0][tokens] - values[1][tokens]).max())


def make_variants(source: Path) -> dict[str, Path]:
    variants = {"as exported": source}
    for level in ("basic", "extended", "all"):
        variants[level] = embedforge.optimize(source, level=level).model
    variants["ONNX Runtime's"] = source.with_name("model_runtime.onnx")
    fused_by_runtime(source, variants["ONNX Runtime's"])
    return variants


def describe(path: Path) -> dict[str, object]:
    operators = Counter(
        node.op_type for node in onnx.load(path, load_external_data=False).graph.node
    )
    return {
        "nodes": sum(operators.values()),
        "attentions": operators["Attention"] + operators["MultiHeadAttention"],
        "skip_norms": operators["SkipLayerNormalization"],
        "gelus": operators["BiasGelu"] + operators["FastGelu"] + operators["Gelu"],
        "operators": dict(operators.most_common()),
        "megabytes": path.stat().st_size / 1e6,
    }


def timed(action: Callable[[], object]) -> float:
    """Alone: ONNX Runtime's threads go on spinning for a while after a run."""
    time.sleep(0.1)
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measure(
    variants: dict[str, Path], tokenizer: Path, args: argparse.Namespace
) -> dict[str, dict]:
    results: dict[str, dict] = {name: describe(path) for name, path in variants.items()}
    sessions, embedders = {}, {}
    for name, path in variants.items():
        loads = []
        for _ in range(3):
            start = time.perf_counter()
            sessions[name] = session(path, args.threads, optimized=True)
            loads.append(time.perf_counter() - start)
        results[name]["load_seconds"] = statistics.median(loads)
        results[name]["largest"] = difference(variants["as exported"], path)
        embedders[name] = embedforge.Embedder(path, tokenizer=tokenizer, threads=args.threads)
    texts = [" ".join([WORD] * (args.tokens - 2))] * args.texts
    runtime: dict[str, list[float]] = {name: [] for name in variants}
    native: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(args.rounds + 1):
        for name, loaded in sessions.items():
            inputs = feed(loaded, args.texts, args.tokens)
            inputs["attention_mask"][:] = 1
            runtime[name].append(timed(lambda s=loaded, i=inputs: s.run(None, i)))  # type: ignore[misc]
        for name, embedder in embedders.items():
            native[name].append(timed(lambda e=embedder: e.encode(texts)))  # type: ignore[misc]
    for name in variants:  # the first round warms up
        results[name]["runtime_texts_per_second"] = args.texts / statistics.median(
            runtime[name][1:]
        )
        results[name]["native_texts_per_second"] = args.texts / statistics.median(native[name][1:])
    return results


def print_rows(exporter: str, results: dict[str, dict]) -> None:
    for name, row in results.items():
        print(
            f"| {exporter} | {name} | {row['nodes']} | {row['attentions']} | {row['skip_norms']} | {row['gelus']} "
            f"| {row['megabytes']:.1f} | {row['load_seconds'] * 1e3:.0f} | {row['runtime_texts_per_second']:.0f} "
            f"| {row['native_texts_per_second']:.0f} | {row['largest']:.0e} |",
            flush=True,
        )


def print_operators(everything: dict[str, dict[str, dict]]) -> None:
    print("\n| exporter | file | nodes by operator |\n|---|---|---|")
    for exporter, results in everything.items():
        for name, row in results.items():
            listed = ", ".join(f"{count} {op}" for op, count in row["operators"].items())
            print(f"| {exporter} | {name} | {listed} |")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--exporters", default=",".join(EXPORTERS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--graphs", type=Path, help="keep the exported files here")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    print(
        "| exporter | file | nodes | attentions | skip-norms | GELUs | MB | load ms | ONNX Runtime texts/s | native texts/s | largest |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    everything = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = embedforge.convert(MODEL, Path(scratch) / "tokenizer").model.parents[1]
        for exporter in args.exporters.split(","):
            place = (args.graphs or Path(scratch)) / exporter
            place.mkdir(parents=True, exist_ok=True)
            source = place / "model.onnx"
            if not source.exists():
                EXPORTERS[exporter](source)
            results = measure(make_variants(source), folder, args)
            everything[exporter] = results
            print_rows(exporter, results)
    print_operators(everything)
    if args.json:
        args.json.write_text(json.dumps(everything, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
