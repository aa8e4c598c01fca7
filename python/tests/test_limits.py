"""Each architecture with as many tokens as its published models take, in ONNX Runtime and natively, float32 and int8."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import checkpoints
import embedforge
from checkpoints import FAMILIES, Family
from test_families import run_onnx, unit
from texts import passages

TWO = {"num_hidden_layers": 2, "num_attention_heads": 2}
# Tokens, and what a small model needs to take them.
LIMITS: dict[str, tuple[int, dict[str, Any]]] = {
    "bert": (512, {"max_position_embeddings": 512}),
    "roberta": (512, {"max_position_embeddings": 514}),
    "xlm_roberta": (8192, {"max_position_embeddings": 8194, **TWO}),  # bge-m3
    "distilbert": (512, {"max_position_embeddings": 512}),
    "mpnet": (512, {"max_position_embeddings": 514}),
    "modernbert": (8192, {"max_position_embeddings": 8192, "local_attention": 128, **TWO}),
    "qwen3": (8192, {"max_position_embeddings": 8192, **TWO}),
    "gemma3": (
        2048,
        {
            "max_position_embeddings": 2048,
            "sliding_window": 512,
            **TWO,
            "layer_types": ["sliding_attention", "full_attention"],
        },
    ),
    "nomic": (8192, {"n_positions": 8192, "n_layer": 2, "n_head": 2}),
}


def family_of(name: str) -> Family:
    limit, changes = LIMITS[name]
    settings = {**FAMILIES[name].settings, **changes}
    pooling = "lasttoken" if name == "qwen3" else "mean"  # so that every token counts
    return replace(FAMILIES[name], limit=limit, pooling=pooling, settings=settings)


@pytest.fixture(scope="module", params=list(LIMITS))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """The folder, texts of 1 token to the limit, and for each its inputs, PyTorch's hidden states and vector."""
    family = family_of(request.param)
    root = tmp_path_factory.mktemp(request.param)
    model = checkpoints.make(family, root / "in", framed=False)  # a token for each word
    embedforge.convert(root / "in", root / "out")
    words = " ".join(passages()).split()
    texts = [" ".join(words[:n]) for n in (1, 2, 7, 128, family.limit)]
    inputs = [checkpoints.feeds(family, root / "in", [text]) for text in texts]
    assert inputs[-1]["input_ids"].shape == (1, family.limit)
    hidden = [checkpoints.torch_hidden(model, feed) for feed in inputs]
    pooled = [
        checkpoints.pool(family, rows, feed["attention_mask"])[0]
        for rows, feed in zip(hidden, inputs, strict=True)
    ]
    return root / "out", texts, inputs, hidden, np.array(pooled)


def test_onnx_runtime(made) -> None:
    folder, _, inputs, hidden, _ = made
    for feed, expected in zip(inputs, hidden, strict=True):
        (found,) = run_onnx(folder / "onnx" / "model.onnx", feed)
        assert np.abs(found - expected).max() < 1e-4, expected.shape


def test_native(made) -> None:
    folder, texts, _, _, pooled = made
    embedder = embedforge.Embedder(folder)
    vectors = embedder.encode(texts, normalize=False)
    longer = embedder.encode(texts[-1] + " more words than it takes", normalize=False)
    assert np.array_equal(longer, vectors[-1])
    assert np.abs(vectors - pooled).max() < 1e-4
    assert (unit(vectors) * unit(pooled)).sum(1).min() > 0.99999


def test_int8(made) -> None:
    folder, texts, _, _, pooled = made
    file = embedforge.quantize(folder, default_texts="none").model
    vectors = embedforge.Embedder(folder, file=file).encode(texts)
    assert (vectors * unit(pooled)).sum(1).min() > 0.98
