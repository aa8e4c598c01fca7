"""Optimized files of every exporter load in ONNX Runtime and here, and give the same vectors."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import embedforge
import make_graphs
import nomic
from conftest import Run

LEVELS = ("basic", "extended", "all")


def operators(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path, load_external_data=False).graph.node)


def session(path: Path) -> onnxruntime.InferenceSession:
    """Without optimizations: the file as it is."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def runtime_vectors(path: Path, texts: list[str]) -> np.ndarray:
    """Mean pooled and normalized, by ONNX Runtime."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained("sentence-transformers/all-MiniLM-L6-v2")
    loaded = session(path)
    names = {each.name for each in loaded.get_inputs()}
    by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    vectors = np.zeros((len(texts), 384), np.float32)
    for start in range(0, len(texts), 8):
        batch = by_length[start : start + 8]
        feed = tokenizer(
            [texts[i] for i in batch],
            padding=True,
            truncation=True,
            max_length=256,
            return_tensors="np",
        )
        feed = {name: value.astype(np.int64) for name, value in feed.items() if name in names}
        hidden = loaded.run(None, feed)[0]
        mask = feed["attention_mask"][:, :, None]
        vectors[batch] = (hidden * mask).sum(1) / mask.sum(1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def check_levels(source: Path, feeds: dict[str, np.ndarray]) -> dict[str, Counter[str]]:
    """Every level passes onnx.checker and computes the same at the tokens; its operators."""
    expected = session(source).run(None, feeds)[0]
    tokens = feeds["attention_mask"] != 0
    found = {}
    for level in LEVELS:
        out = embedforge.optimize(source, level=level).model
        onnx.checker.check_model(str(out), full_check=level == "basic")
        got = session(out).run(None, feeds)[0]
        assert np.abs(got[tokens] - expected[tokens]).max() < 1e-5, level
        found[level] = operators(out)
        again = embedforge.optimize(out, out.with_suffix(".again"), level=level).model
        assert again.read_bytes() == out.read_bytes(), level
    return found


@pytest.mark.parametrize("export", ["embedforge", "legacy", "dynamo"])
def test_minilm(
    converted: Path,
    exported: Callable[[str, str, int], Path],
    tmp_path: Path,
    texts: list[str],
    expected: np.ndarray,
    export: str,
) -> None:
    if export == "embedforge":
        folder = converted / "onnx"
    else:
        folder = exported(export, "sdpa", 17 if export == "legacy" else 18)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    source = tmp_path / "model.onnx"
    result = embedforge.optimize(source, level="extended")
    assert result.model == tmp_path / "model_extended.onnx"
    found = operators(result.model)
    assert found["Attention"] == 6
    assert found["SkipLayerNormalization"] == 12
    assert found["BiasGelu"] == 6
    assert found["EmbedLayerNormalization"] == 1
    assert result.nodes_after == sum(found.values()) < result.nodes_before
    onnx.checker.check_model(str(result.model))
    some = slice(400, 480 if export == "dynamo" else 424)  # 80 passages, of the hardest graph
    ours = embedforge.Embedder(result.model, tokenizer=converted).encode(texts[some])
    assert np.abs(ours - expected[some]).max() < 1e-5
    assert np.abs(runtime_vectors(result.model, texts[some]) - expected[some]).max() < 1e-5


def families() -> dict[str, torch.nn.Module]:
    class Sizes:
        layers, hidden = 2, 64

    def model(family: str, attention: str = "sdpa") -> torch.nn.Module:
        return make_graphs.make_model(family, Sizes, attention)

    torch.manual_seed(3)
    return {
        "bert": make_graphs.Hidden(model("bert")),
        "roberta": make_graphs.HiddenWithoutTypes(model("roberta")),
        "distilbert": make_graphs.HiddenWithoutTypes(model("distilbert")),
        "mpnet": make_graphs.HiddenWithoutTypes(model("mpnet", "eager")),
        "nomic": nomic.NomicBert().eval(),
    }


@pytest.mark.parametrize("new_exporter", [False, True])
@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "mpnet", "nomic"])
def test_families(tmp_path: Path, family: str, new_exporter: bool) -> None:
    module = families()[family]
    types = family in ("bert", "nomic")
    source = tmp_path / "model.onnx"
    opset = 18 if new_exporter else 17
    with torch.no_grad():
        make_graphs.export(module, source, types, new_exporter, opset)
    feeds, _ = make_graphs.feeds_for(None, (9, 4, 1))
    if not types:
        del feeds["token_type_ids"]
    found = check_levels(source, feeds)["extended"]
    assert found["Softmax"] == found["LayerNormalization"] == found["Erf"] == 0
    if family == "nomic":
        assert found["MultiHeadAttention"] == 2
        assert found["RotaryEmbedding"] == 4
        assert found["SkipLayerNormalization"] == 5  # with that of words and types
        return
    assert found["Attention"] == 2
    assert found["EmbedLayerNormalization"] == 1
    assert found["SkipLayerNormalization"] == 4
    assert found["BiasGelu"] == 2


def test_command_line(converted: Path, tmp_path: Path, run: Run) -> None:
    source = converted / "onnx" / "model.onnx"
    listed = run("optimize", "--list-passes")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()][:2] == [
        "fold_constants",
        "fold_shapes",
    ]
    done = run("optimize", converted, "-o", tmp_path / "same.onnx", "--level", "none")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "same.onnx").read_bytes() == source.read_bytes()
    out = tmp_path / "some.onnx"
    done = run("optimize", converted, "-o", out, "--disable-pass", "fuse_attention", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert "fuse_attention" not in {each["name"] for each in report["passes"]}
    assert operators(out)["Softmax"] == 6
    shown = json.loads(run("inspect", out, "--json").stdout)
    assert shown["nodes"] == report["nodes_after"]
    assert shown["native"]["runs"]


@pytest.mark.parametrize("level", LEVELS)
def test_of_a_quantized_file(
    converted: Path, tmp_path: Path, run: Run, texts: list[str], level: str
) -> None:
    """Its outlier channels' products aren't joined, which the engine would read wrongly."""
    (tmp_path / "texts").write_text("\n".join(" ".join(text.split()) for text in texts[400:416]))
    assert run("quantize", converted, "-o", tmp_path / "int8.onnx").returncode == 0
    made = run("optimize", tmp_path / "int8.onnx", "-o", tmp_path / "new.onnx", "--level", level)
    assert made.returncode == 0, made.stderr
    vectors = []
    for name in ("int8", "new"):
        command = ["encode", tmp_path / f"{name}.onnx", "--tokenizer", converted, "--input"]
        done = run(*command, tmp_path / "texts", "--output", tmp_path / f"{name}.npy")
        assert done.returncode == 0, done.stderr
        vectors.append(np.load(tmp_path / f"{name}.npy"))
    assert (vectors[0] * vectors[1]).sum(1).min() > 0.9995


def test_bad_usage_and_input(tmp_path: Path, run: Run) -> None:
    missing = run("optimize", tmp_path)
    assert missing.returncode == 3
    assert "onnx/model.onnx" in missing.stderr
    source = tmp_path / "model.onnx"
    node = onnx.helper.make_node("Add", ["x", "nothing"], ["y"], name="lonely")
    value = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")
    ]
    graph = onnx.helper.make_graph([node], "g", value[:1], value[1:])
    onnx.save(onnx.helper.make_model(graph), source)
    broken = run("optimize", source)
    assert broken.returncode == 3
    assert "lonely" in broken.stderr and "nothing" in broken.stderr
    assert not (tmp_path / "model_extended.onnx").exists()
    assert run("optimize", source, "--level", "most").returncode == 2
    assert run("optimize", source, "--disable-pass", "magic").returncode == 2
    assert run("optimize").returncode == 2
