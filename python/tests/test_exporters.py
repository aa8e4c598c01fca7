"""Files that others export run natively, and give sentence-transformers' vectors."""

from __future__ import annotations

import os
import shutil
import subprocess
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


EXPORTERS = Path(__file__).parents[2] / "build" / "venv-exporters" / "bin" / "python"


def in_exporters(code: str, *arguments: object) -> str:
    """Runs Python code in the environment of Optimum; what it prints."""
    if not EXPORTERS.exists() and "EMBEDFORGE_REQUIRE_MODEL" not in os.environ:
        pytest.skip("./dev test makes build/venv-exporters")
    done = subprocess.run(
        [EXPORTERS, "-W", "ignore", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("library", ["transformers", "sentence_transformers"])
def test_optimum(
    library: str, converted: Path, tmp_path: Path, texts: list[str], expected: np.ndarray
) -> None:
    code = """
import sys
from optimum.exporters.onnx import main_export
main_export(sys.argv[1], sys.argv[2], library_name=sys.argv[3], task="feature-extraction")
"""
    in_exporters(code, MODEL, tmp_path, library)
    shutil.copy(converted / "sentence_bert_config.json", tmp_path)
    check(embedforge.Embedder(tmp_path), texts, expected)


BACKEND = """
import sys, numpy
from sentence_transformers import SentenceTransformer
options = {"provider": "CPUExecutionProvider", **({"export": True} if sys.argv[2] == "export" else {})}
model = SentenceTransformer(sys.argv[1], backend="onnx", device="cpu", model_kwargs=options)
if sys.argv[2] == "export":
    model.save_pretrained(sys.argv[3])
else:
    texts = open(sys.argv[3], encoding="utf-8", newline="").read().split("\\0")
    numpy.save(sys.argv[4], model.encode(texts, show_progress_bar=False))
"""


def test_sentence_transformers(tmp_path: Path, texts: list[str], expected: np.ndarray) -> None:
    in_exporters(BACKEND, MODEL, "export", tmp_path)
    check(embedforge.Embedder(tmp_path), texts, expected)


def test_our_folder_works_in_sentence_transformers(
    converted: Path, tmp_path: Path, texts: list[str], expected: np.ndarray
) -> None:
    (tmp_path / "texts").write_text("\0".join(texts[:64]), encoding="utf-8", newline="")
    in_exporters(BACKEND, converted, "encode", tmp_path / "texts", tmp_path / "vectors.npy")
    vectors = np.load(tmp_path / "vectors.npy")
    assert np.abs(vectors - expected[:64]).max() < 1e-5


def check(embedder: embedforge.Embedder, texts: list[str], expected: np.ndarray) -> None:
    """On a sample, and to the tolerance that float32 sums in another order keep."""
    step = 9
    vectors = embedder.encode(texts[::step])
    assert np.abs(vectors - expected[::step]).max() < 1e-5
