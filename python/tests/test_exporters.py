"""Files that others export run natively, and give sentence-transformers' vectors."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import embedforge

MODEL = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("export", "attention", "opset"),
    [
        ("legacy", "eager", 14),
        ("legacy", "eager", 17),
        ("legacy", "sdpa", 17),
        ("dynamo", "eager", 18),
        ("dynamo", "sdpa", 18),
    ],
)
def test_pytorch_exporters(
    converted: Path,
    exported: Callable[[str, str, int], Path],
    tmp_path: Path,
    texts: list[str],
    expected: np.ndarray,
    export: str,
    attention: str,
    opset: int,
) -> None:
    folder = Path(shutil.copytree(converted, tmp_path / "model"))
    shutil.copytree(exported(export, attention, opset), folder / "onnx", dirs_exist_ok=True)
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
