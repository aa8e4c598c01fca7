"""The real model, converted once, and what others make of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import embedforge
from texts import AWKWARD, passages, sentences

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
CLI = Path(__file__).parents[2] / "build" / "embedforge"


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """The checkpoint's folder. Run by ./dev test, which puts it into build/hf."""
    from huggingface_hub import snapshot_download

    assert "HF_HOME" in os.environ, "run the tests with ./dev test"
    return Path(snapshot_download(MODEL))


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("converted") / "minilm"
    embedforge.convert(MODEL, out)
    return out


@pytest.fixture(scope="session")
def embedder(converted: Path) -> embedforge.Embedder:
    return embedforge.Embedder(converted)


@pytest.fixture(scope="session")
def texts() -> list[str]:
    return sentences() + passages() + AWKWARD


@pytest.fixture(scope="session")
def expected(texts: list[str]) -> np.ndarray:
    """sentence-transformers' own float32 vectors of `texts`."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(MODEL, device="cpu")
    return model.encode(texts, batch_size=32, show_progress_bar=False)


@pytest.fixture
def copy_of(converted: Path, tmp_path: Path) -> Callable[[], Path]:
    """A model folder that a test may damage."""

    def make() -> Path:
        return Path(shutil.copytree(converted, tmp_path / "copy"))

    return make


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def run() -> Run:
    """Calls the command line (the sanitized one when EMBEDFORGE_CLI says so); bytes in `stdin` go in as they are."""

    def call(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [os.environ.get("EMBEDFORGE_CLI", str(CLI)), *map(str, arguments)],
            input=stdin,
            capture_output=True,
            timeout=300,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return call
