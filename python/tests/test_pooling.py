"""Pooling modes, Dense and LayerNorm modules, prompts left out: as sentence-transformers has them, in both runtimes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Dense, LayerNorm, Normalize, Pooling, Transformer

import embedforge
from texts import AWKWARD, sentences

TEXTS = sentences()[:20] + [text for text in AWKWARD if text.strip()]
BACKENDS = ["native", "onnxruntime"]


@pytest.fixture(scope="module")
def saved(
    model_folder: Path, converted: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[SentenceTransformer, Path]]:
    """A sentence-transformers model with these modules after the transformer, and its folder with the ONNX file."""
    transformer = Transformer(str(model_folder), max_seq_length=256)

    def make(*modules: Any, **options: Any) -> tuple[SentenceTransformer, Path]:
        model = SentenceTransformer(modules=[transformer, *modules], device="cpu", **options)
        folder = tmp_path_factory.mktemp("model")
        model.save(str(folder))
        shutil.copytree(converted / "onnx", folder / "onnx")
        return model, folder

    return make


def encode(model: SentenceTransformer, **options: Any) -> np.ndarray:
    """Of `TEXTS`; few a batch, so that they aren't padded to the longest of all."""
    return model.encode(TEXTS, batch_size=4, show_progress_bar=False, **options)


def same(found: np.ndarray, wanted: np.ndarray) -> None:
    wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 2e-5
    assert (found * wanted).sum(1).min() > 0.99999


@pytest.mark.parametrize(
    "modes",
    [
        "cls",
        "max",
        "lasttoken",
        "weightedmean",
        "mean_sqrt_len_tokens",
        ("cls", "mean"),
        ("mean", "max", "weightedmean"),
    ],
)
def test_poolings(saved, modes: Any) -> None:  # type: ignore[no-untyped-def]
    model, folder = saved(Pooling(384, pooling_mode=modes))
    wanted = encode(model)
    for backend in BACKENDS:
        embedder = embedforge.Embedder(folder, backend=backend)
        same(embedder.encode(TEXTS), wanted)
        joined = modes if isinstance(modes, str) else "+".join(modes)
        names = {"lasttoken": "last", "mean_sqrt_len_tokens": "mean_sqrt_len"}
        assert embedder.info.pooling == names.get(joined, joined)


@pytest.mark.parametrize("safe", [True, False])
def test_dense_and_layer_norm(saved, safe: bool) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    norm = LayerNorm(64)
    torch.nn.init.normal_(norm.norm.weight)
    torch.nn.init.normal_(norm.norm.bias)
    modules = [
        Pooling(384, pooling_mode="mean"),
        Dense(384, 128),
        Dense(128, 64, bias=False, activation_function=torch.nn.GELU()),
        norm,
        Normalize(),
    ]
    model, folder = saved(*modules)
    if not safe:  # as older versions wrote them
        dense = model[2]
        torch.save(dense.state_dict(), folder / "2_Dense" / "pytorch_model.bin")
        (folder / "2_Dense" / "model.safetensors").unlink()
    wanted = encode(model)
    for backend in BACKENDS:
        embedder = embedforge.Embedder(folder, backend=backend)
        assert embedder.dimension == 64
        same(embedder.encode(TEXTS), wanted)


def test_a_dense_model_converts_with_its_modules(saved, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    model, folder = saved(Pooling(384, pooling_mode="mean"), Dense(384, 96), LayerNorm(96))
    embedforge.convert(folder, tmp_path / "out")
    same(embedforge.Embedder(tmp_path / "out").encode(TEXTS), encode(model))
    with pytest.raises(embedforge.NotSupportedError, match="3_LayerNorm"):
        embedforge.convert(folder, tmp_path / "pooled", with_pooling=True)


@pytest.mark.parametrize("mode", ["mean", "cls", "max", "weightedmean", "lasttoken"])
def test_prompts_that_are_left_out(saved, mode: str) -> None:  # type: ignore[no-untyped-def]
    prompts = {"query": "Represent this sentence for searching: "}
    model, folder = saved(Pooling(384, pooling_mode=mode, include_prompt=False), prompts=prompts)
    wanted, plain = encode(model, prompt_name="query"), encode(model)
    for backend in BACKENDS:
        embedder = embedforge.Embedder(folder, backend=backend)
        same(embedder.encode_query(TEXTS), wanted)
        same(embedder.encode(TEXTS), plain)


def test_damaged_modules(saved) -> None:  # type: ignore[no-untyped-def]
    _, folder = saved(Pooling(384, pooling_mode="mean"), Dense(384, 96))
    config = folder / "2_Dense" / "config.json"
    text = config.read_text()
    config.write_text(text.replace("384", "383"))
    with pytest.raises(embedforge.BadInputError, match=r"2_Dense.*linear.weight"):
        embedforge.Embedder(folder)
    config.write_text(text.replace("torch.nn.modules.activation.Tanh", "os.system"))
    with pytest.raises(embedforge.NotSupportedError, match=r"os\.system"):
        embedforge.Embedder(folder)
    config.write_text(text)
    weights = folder / "2_Dense" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(embedforge.BadInputError, match="2_Dense"):
        embedforge.Embedder(folder)
