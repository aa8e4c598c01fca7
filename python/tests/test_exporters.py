"""Files that others export run natively, and give sentence-transformers' vectors."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import embedforge

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


class LastHidden(torch.nn.Module):
    """The encoder with one output."""

    def __init__(self, attention: str) -> None:
        super().__init__()
        self.model = AutoModel.from_pretrained(MODEL, attn_implementation=attention).eval()

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state


def example() -> tuple[torch.Tensor, ...]:
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    feed = tokenizer(["hello world", "a longer example"], padding=True, return_tensors="pt")
    return tuple(feed[name] for name in INPUTS)


def legacy(path: Path, attention: str, opset: int) -> None:
    axes = {name: {0: "batch", 1: "sequence"} for name in [*INPUTS, "last_hidden_state"]}
    torch.onnx.export(
        LastHidden(attention),
        example(),
        str(path),
        dynamo=False,
        opset_version=opset,
        input_names=INPUTS,
        output_names=["last_hidden_state"],
        dynamic_axes=axes,
    )


def dynamo(path: Path, attention: str, opset: int) -> None:
    torch.onnx.export(
        LastHidden(attention),
        example(),
        str(path),
        dynamo=True,
        opset_version=opset,
        input_names=INPUTS,
        output_names=["last_hidden_state"],
        dynamic_shapes=({0: "batch", 1: "sequence"},) * 3,
    )


@pytest.mark.parametrize(
    ("export", "attention", "opset"),
    [
        (legacy, "eager", 14),
        (legacy, "eager", 17),
        (legacy, "sdpa", 17),
        (dynamo, "eager", 18),
        (dynamo, "sdpa", 18),
    ],
)
def test_pytorch_exporters(
    converted: Path,
    tmp_path: Path,
    texts: list[str],
    expected: np.ndarray,
    export: Callable[[Path, str, int], None],
    attention: str,
    opset: int,
) -> None:
    folder = Path(shutil.copytree(converted, tmp_path / "model"))
    export(folder / "onnx" / "model.onnx", attention, opset)
    check(embedforge.Embedder(folder), texts, expected)


def test_optimum_transformers(
    converted: Path, tmp_path: Path, texts: list[str], expected: np.ndarray
) -> None:
    from optimum.exporters.onnx import main_export

    main_export(MODEL, tmp_path, library_name="transformers", task="feature-extraction")
    shutil.copy(converted / "sentence_bert_config.json", tmp_path)
    check(embedforge.Embedder(tmp_path), texts, expected)


def test_optimum_sentence_transformers(
    converted: Path, tmp_path: Path, texts: list[str], expected: np.ndarray
) -> None:
    from optimum.exporters.onnx import main_export

    main_export(MODEL, tmp_path, library_name="sentence_transformers", task="feature-extraction")
    shutil.copy(converted / "sentence_bert_config.json", tmp_path)
    check(embedforge.Embedder(tmp_path), texts, expected)


def test_sentence_transformers(tmp_path: Path, texts: list[str], expected: np.ndarray) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        MODEL,
        backend="onnx",
        device="cpu",
        model_kwargs={"provider": "CPUExecutionProvider", "export": True},
    )
    model.save_pretrained(str(tmp_path))
    check(embedforge.Embedder(tmp_path), texts, expected)


def test_our_folder_works_in_sentence_transformers(
    converted: Path, texts: list[str], expected: np.ndarray
) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(converted),
        backend="onnx",
        device="cpu",
        model_kwargs={"provider": "CPUExecutionProvider"},
    )
    vectors = model.encode(texts[:64], show_progress_bar=False)
    assert np.abs(vectors - expected[:64]).max() < 1e-5


def check(embedder: embedforge.Embedder, texts: list[str], expected: np.ndarray) -> None:
    """On a sample, and to the tolerance that float32 sums in another order keep."""
    step = 9
    vectors = embedder.encode(texts[::step])
    assert np.abs(vectors - expected[::step]).max() < 1e-5
