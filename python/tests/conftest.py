"""The real model, converted once, and what others make of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

import embedforge
from serving import LABELS, NAME, QUERY, SERVED, serving, write_classifier
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
    return sentences() + passages(250) + AWKWARD


@pytest.fixture(scope="session")
def once(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a file of this name once for all processes of a test run: once(name, make) calls make(path) in the first."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "once"
    folder.mkdir(exist_ok=True)

    def get(name: str, make: Callable[[Path], None]) -> Path:
        path = folder / name
        with FileLock(f"{path}.lock"):
            if not path.exists():
                unfinished = folder / f"unfinished-{name}"
                make(unfinished)
                unfinished.rename(path)
        return path

    return get


@pytest.fixture(scope="session")
def expected(once: Callable[[str, Callable[[Path], None]], Path], texts: list[str]) -> np.ndarray:
    """sentence-transformers' own float32 vectors of `texts`."""

    def make(path: Path) -> None:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(MODEL, device="cpu")
        np.save(path, model.encode(texts, batch_size=8, show_progress_bar=False))

    return np.load(once("expected.npy", make))


@pytest.fixture(scope="session")
def exported(
    once: Callable[[str, Callable[[Path], None]], Path],
) -> Callable[[str, str, int], Path]:
    """exported(exporter, attention, opset): a folder with that exporter's model.onnx."""
    from minilm_exports import export

    def get(exporter: str, attention: str, opset: int) -> Path:
        def make(folder: Path) -> None:
            folder.mkdir()
            export(exporter, folder / "model.onnx", attention, opset)

        return once(f"{exporter}-{attention}-{opset}", make)

    return get


@pytest.fixture(scope="session")
def vectors(embedder: embedforge.Embedder, texts: list[str]) -> np.ndarray:
    """Ours of `texts`."""
    return embedder.encode(texts)


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


@pytest.fixture(scope="session")
def heads(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A cross-encoder and a classifier."""
    root = tmp_path_factory.mktemp("heads")
    for name, labels in (("reranker", ["LABEL_0"]), ("classifier", LABELS)):
        write_classifier(root / "checkpoints" / name, model_folder, labels)
        embedforge.convert(root / "checkpoints" / name, root / name)
    return {name: root / name for name in ("reranker", "classifier")}


@pytest.fixture(scope="session")
def server(
    converted: Path, heads: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server with MiniLM, a cross-encoder and a classifier."""
    models = (converted, heads["reranker"], heads["classifier"])
    log = tmp_path_factory.mktemp("serve") / "log"
    with serving(log, *models, "--alias", f"{NAME}=minilm") as url:
        yield url


@pytest.fixture(scope="session")
def served(embedder: embedforge.Embedder) -> np.ndarray:
    """The library's vectors of what clients ask the server for."""
    return embedder.encode(SERVED)


@pytest.fixture(scope="session")
def ranked(run: Run, heads: dict[str, Path]) -> list[tuple[int, float]]:
    """Index and score of each text, best first, as the command line ranks them."""
    done = run("rerank", heads["reranker"], QUERY, *SERVED, "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [(line["index"], line["score"]) for line in lines]
