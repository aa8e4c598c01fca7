"""Each architecture: a random checkpoint is converted and gives PyTorch's values in ONNX Runtime and natively."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import checkpoints
import embedforge
import make_graphs
from checkpoints import FAMILIES


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def run_onnx(path: Path, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = {value.name for value in session.get_inputs()}
    return session.run(None, {name: inputs[name] for name in names})


@pytest.fixture(scope="module", params=list(FAMILIES))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """The family, its checkpoint, the converted folder, and what PyTorch computes for the texts."""
    family = FAMILIES[request.param]
    root = tmp_path_factory.mktemp(request.param)
    model = checkpoints.make_checkpoint(request.param, root / "checkpoint")
    embedforge.convert(str(root / "checkpoint"), root / "out", with_pooling=True)
    inputs = checkpoints.feeds(family, root / "checkpoint", checkpoints.sample_texts(family))
    hidden = checkpoints.torch_hidden(model, inputs)
    return family, root / "out", inputs, hidden


def test_onnx_runtime(made) -> None:
    family, out, inputs, expected = made
    path = out / "onnx" / "model.onnx"
    onnx.checker.check_model(str(path), full_check=True)
    assert {node.domain for node in onnx.load(path).graph.node} == {""}
    hidden, sentences = run_onnx(path, inputs)
    mask = inputs["attention_mask"][..., None]
    assert np.abs((hidden - expected) * mask).max() < 1e-4
    pooled = unit(checkpoints.pool(family, expected, inputs["attention_mask"]))
    assert np.abs(sentences - pooled).max() < 1e-5


def test_native(made) -> None:
    family, out, inputs, expected = made
    pooled = checkpoints.pool(family, expected, inputs["attention_mask"])
    texts = checkpoints.sample_texts(family)
    vectors = embedforge.Embedder(out).encode(texts, normalize=False)
    cosine = (unit(vectors) * unit(pooled)).sum(1)
    assert cosine.min() > 0.99999, cosine
    assert np.abs(vectors - pooled).max() < 1e-4


def test_a_text_alone_is_the_same(made) -> None:
    family, out, _, _ = made
    texts = checkpoints.sample_texts(family)
    embedder = embedforge.Embedder(out, threads=2)
    together = embedder.encode(texts)
    for i, text in enumerate(texts):
        assert np.array_equal(embedder.encode(text), together[i]), i


def test_levels_and_int8(made) -> None:
    """The optimizer's files run natively with the same vectors; int8 with nearly the same."""
    family, out, inputs, expected = made
    texts = checkpoints.sample_texts(family)
    float_vectors = embedforge.Embedder(out).encode(texts)
    for level in ("basic", "extended"):
        result = embedforge.optimize(out, out / "onnx" / f"{level}.onnx", level=level)
        vectors = embedforge.Embedder(out, file=result.model).encode(texts)
        assert np.abs(vectors - float_vectors).max() < 1e-5, level
        hidden = run_onnx(result.model, inputs)[0]
        mask = inputs["attention_mask"][..., None]
        assert np.abs((hidden - expected) * mask).max() < 1e-4, level
    embedforge.quantize(out, out / "onnx" / "int8.onnx")
    vectors = embedforge.Embedder(out, file=out / "onnx" / "int8.onnx").encode(texts)
    assert (vectors * float_vectors).sum(1).min() > 0.98


def test_nomic_cuts_after_a_layer_norm(tmp_path: Path) -> None:
    """Matryoshka as nomic-embed-text-v1.5's page has it, and the prefixes that it names."""
    family = FAMILIES["nomic"]
    model = checkpoints.make_checkpoint("nomic", tmp_path / "checkpoint")
    embedforge.convert(tmp_path / "checkpoint", tmp_path / "out")
    texts = checkpoints.sample_texts(family)
    inputs = checkpoints.feeds(family, tmp_path / "checkpoint", texts)
    hidden = checkpoints.torch_hidden(model, inputs)
    pooled = torch.from_numpy(checkpoints.pool(family, hidden, inputs["attention_mask"])).float()
    whole = torch.nn.functional.layer_norm(pooled, pooled.shape[1:]).numpy()
    embedder = embedforge.Embedder(tmp_path / "out")
    for dimensions in (24, 48):
        cut = embedder.encode(texts, dimensions=dimensions)
        assert np.abs(cut - unit(whole[:, :dimensions])).max() < 1e-5
    for encode, prefix in (
        (embedder.encode_query, "search_query: "),
        (embedder.encode_document, "search_document: "),
    ):
        assert np.array_equal(encode(texts), embedder.encode([prefix + text for text in texts]))


EXPORTED = [
    ("mpnet", True, "sdpa"),
    ("nomic", False, "eager"),
    ("nomic", True, "eager"),
    ("modernbert", False, "sdpa"),
    ("modernbert", True, "eager"),
    ("qwen3", True, "sdpa"),
]


@pytest.mark.parametrize(("name", "new_exporter", "attention"), EXPORTED)
def test_graphs_of_pytorch(tmp_path: Path, name: str, new_exporter: bool, attention: str) -> None:
    """What PyTorch's exporters make of these families runs natively, also after the optimizer."""
    family = FAMILIES[name]
    model = checkpoints.make_checkpoint(name, tmp_path)
    types = name == "nomic"
    if not types:
        model.set_attn_implementation(attention)
    module = model if types else make_graphs.HiddenWithoutTypes(model)
    (tmp_path / "onnx").mkdir()
    source = tmp_path / "onnx" / "model.onnx"
    with torch.no_grad():
        make_graphs.export(module, source, types, new_exporter, 18 if new_exporter else 17)
    texts = checkpoints.sample_texts(family)
    inputs = checkpoints.feeds(family, tmp_path, texts)
    hidden = checkpoints.torch_hidden(model, inputs)
    expected = checkpoints.pool(family, hidden, inputs["attention_mask"])
    for level in ("none", "basic", "extended"):
        result = embedforge.optimize(tmp_path, tmp_path / "onnx" / f"{level}.onnx", level=level)
        vectors = embedforge.Embedder(tmp_path, file=result.model).encode(texts, normalize=False)
        assert np.abs(vectors - expected).max() < 1e-4, level
