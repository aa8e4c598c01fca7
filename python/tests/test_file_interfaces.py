"""Inputs and outputs that other exporters give their files: both backends understand the same ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import embedforge
from checkpoints import FAMILIES, make, sample_texts

BACKENDS = ["native", "onnxruntime"]
IDS = torch.tensor([[5, 6, 7, 8, 9], [5, 6, 7, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


class Exported(torch.nn.Module):
    """A model whose outputs `give` makes of (model, inputs)."""

    def __init__(self, model: torch.nn.Module, give: Callable[..., object]) -> None:
        super().__init__()
        self.model, self.give = model, give

    def forward(self, *inputs: torch.Tensor) -> object:
        return self.give(self.model, *inputs)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module]:
    folder = tmp_path_factory.mktemp("interfaces") / "bert"
    folder.mkdir()
    model = make(FAMILIES["bert"], folder)
    embedforge.convert(folder, folder)
    return folder, model


def export(
    bert: tuple[Path, torch.nn.Module],
    name: str,
    inputs: dict[str, torch.Tensor],
    outputs: list[str],
    give: Callable[..., object],
    flat: tuple[str, ...] = (),
) -> str:
    """Writes onnx/NAME and gives its path within the folder; outputs in `flat` are [batch, width]."""
    axes = {key: {0: "batch", 1: "sequence"} for key in [*inputs, *outputs]}
    axes.update({key: {0: "batch"} for key in flat})
    torch.onnx.export(
        Exported(bert[1], give).eval(),
        tuple(inputs.values()),
        str(bert[0] / "onnx" / name),
        input_names=list(inputs),
        output_names=outputs,
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )
    return f"onnx/{name}"


def tokens(model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor | None = None) -> object:
    return model(input_ids=ids, attention_mask=mask).last_hidden_state


def check(bert: tuple[Path, torch.nn.Module], backend: str, **options: object) -> None:
    texts = sample_texts(FAMILIES["bert"])
    pooling = options.get("pooling")
    wanted = embedforge.Embedder(bert[0], pooling=pooling if isinstance(pooling, str) else None)
    found = embedforge.Embedder(bert[0], backend=backend, **options).encode(texts)  # type: ignore[arg-type]
    assert np.abs(found - wanted.encode(texts)).max() < 2e-6


@pytest.mark.parametrize("backend", BACKENDS)
def test_names_of_inputs_from_before(bert: tuple[Path, torch.nn.Module], backend: str) -> None:
    def give(
        model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor
    ) -> object:
        return model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state

    inputs = {"input_ids": IDS, "input_mask": MASK, "segment_ids": torch.zeros_like(IDS)}
    file = export(bert, "old_names.onnx", inputs, ["last_hidden_state"], give)
    check(bert, backend, file=file)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_graph_without_a_mask_gets_no_padding(
    bert: tuple[Path, torch.nn.Module], backend: str
) -> None:
    file = export(bert, "no_mask.onnx", {"input_ids": IDS}, ["last_hidden_state"], tokens)
    check(bert, backend, file=file)


@pytest.mark.parametrize("backend", BACKENDS)
def test_dense_vectors_come_before_lexical_weights_and_vectors_of_tokens(
    bert: tuple[Path, torch.nn.Module], backend: str
) -> None:
    def give(model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> object:
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        dense = torch.nn.functional.normalize(hidden[:, 0])
        return dense, hidden.sum(-1, keepdim=True), hidden[:, 1:]

    inputs = {"input_ids": IDS, "attention_mask": MASK}
    names = ["dense_vecs", "sparse_vecs", "colbert_vecs"]
    file = export(bert, "three.onnx", inputs, names, give, flat=("dense_vecs",))
    texts = sample_texts(FAMILIES["bert"])
    found = embedforge.Embedder(bert[0], file=file, backend=backend).encode(texts)
    wanted = embedforge.Embedder(bert[0], pooling="cls").encode(texts)
    assert np.abs(found - wanted).max() < 2e-6


@pytest.mark.parametrize("backend", BACKENDS)
def test_several_outputs_that_could_be_meant_are_listed(
    bert: tuple[Path, torch.nn.Module], backend: str
) -> None:
    def give(model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> object:
        return model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[
            -2:
        ]

    inputs = {"input_ids": IDS, "attention_mask": MASK}
    file = export(bert, "layers.onnx", inputs, ["layer_2", "layer_3"], give)
    with pytest.raises(embedforge.NotSupportedError, match=r"layer_2, layer_3.*output_name"):
        embedforge.Embedder(bert[0], file=file, backend=backend)
    check(bert, backend, file=file, output_name="layer_3")
    with pytest.raises(embedforge.UsageError, match="layer_9"):
        embedforge.Embedder(bert[0], file=file, backend=backend, output_name="layer_9")


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_text_is_longer_than_the_position_table(
    bert: tuple[Path, torch.nn.Module], backend: str
) -> None:
    limit = FAMILIES["bert"].settings["max_position_embeddings"]
    embedder = embedforge.Embedder(bert[0], backend=backend, max_length=100_000)
    assert embedder.max_length == limit
    assert np.isfinite(embedder.encode("word " * 1000)).all()
