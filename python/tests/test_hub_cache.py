"""Which files of a repository come into the cache, and caches that other programs filled in part."""

# ruff: noqa: F811 (fixtures)

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import checkpoints
import embedforge
from conftest import Run
from hub_server import COMMIT, ID, Hub
from test_hub import WEIGHTS, cache, check_cache, hub, model_folder, repository  # noqa: F401


def fill(cache: Path, hub: Hub, *names: str) -> Path:
    """A cache as a program leaves it that asked for these files alone."""
    folder = model_folder(cache)
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    snapshot = folder / "snapshots" / COMMIT
    for name in names:
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).write_bytes(hub.files[name])
    return snapshot


@pytest.fixture
def vector(hub: Hub, repository: Path, tmp_path: Path) -> np.ndarray:
    """Of "some words", by the repository, which has an .onnx file from here on."""
    embedforge.convert(repository, tmp_path / "onnx")
    hub.files["onnx/model.onnx"] = (tmp_path / "onnx/onnx/model.onnx").read_bytes()
    return np.asarray(embedforge.Embedder(tmp_path / "onnx").encode("some words"))


OTHERS = ["config.json", "tokenizer.json", "tokenizer_config.json"]  # what transformers asks for


@pytest.mark.parametrize(
    "cached", [[*OTHERS, WEIGHTS], [*OTHERS, "onnx/model.onnx"], [*OTHERS, "modules.json"]]
)
def test_a_half_filled_cache_is_completed(
    hub: Hub,
    cache: Path,
    run: Run,
    vector: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cached: list[str],
) -> None:
    snapshot = fill(cache, hub, *cached)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    missing = run("encode", ID, "x")
    assert missing.returncode == 3
    assert (
        "1_Pooling/config.json" if "modules.json" in cached else "modules.json"
    ) in missing.stderr
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert np.array_equal(embedforge.Embedder(ID).encode("some words"), vector)
    assert all(
        (snapshot / name).exists()
        for name in ("1_Pooling/config.json", "sentence_bert_config.json")
    )
    assert not hub.sent[cached[-1]]  # it was there
    asked = len(hub.requests)
    assert np.array_equal(embedforge.Embedder(ID).encode("some words"), vector)
    assert len(hub.requests) == asked  # all is there now
    assert run("convert", ID, "-o", tmp_path / "out").returncode == 0
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert np.array_equal(embedforge.Embedder(ID).encode("some words"), vector)


def test_an_onnx_file_that_is_asked_for(
    hub: Hub, cache: Path, run: Run, vector: np.ndarray
) -> None:
    hub.files["onnx/model_quantized.onnx"] = hub.files.pop("onnx/model.onnx")
    hub.files["onnx/other.onnx"] = b"not one"
    model = embedforge.Embedder(ID, file="onnx/model_quantized.onnx")
    assert np.array_equal(model.encode("some words"), vector)
    snapshot = check_cache(cache, hub)
    assert not (snapshot / "onnx/other.onnx").exists() and not (snapshot / WEIGHTS).exists()
    assert run("encode", ID, "x", "--file", "onnx/model_quantized.onnx").returncode == 0
    wrong = run("encode", ID, "x", "--file", "onnx/wrong.onnx")
    assert wrong.returncode == 3 and "onnx/other.onnx" in wrong.stderr
    del hub.files[WEIGHTS], hub.files["pytorch_model.bin"]
    several = run("pull", ID)
    assert several.returncode == 3 and "--file" in several.stderr
    del hub.files["onnx/other.onnx"]
    done = run("pull", ID)
    assert done.returncode == 0 and "onnx/model_quantized.onnx" in done.stdout


def test_external_data_of_any_name(
    hub: Hub, cache: Path, run: Run, vector: np.ndarray, tmp_path: Path
) -> None:
    import onnx

    graph = onnx.load_from_string(hub.files["onnx/model.onnx"])
    onnx.save(
        graph,
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="the weights",
        size_threshold=1000,
    )
    hub.files["onnx/model.onnx"] = (tmp_path / "m.onnx").read_bytes()
    hub.files["onnx/the weights"] = (tmp_path / "the weights").read_bytes()
    for backend in ("native", "onnxruntime"):
        found = embedforge.Embedder(ID, backend=backend).encode("some words")
        assert np.abs(found - vector).max() < 1e-5


def test_another_revision_is_not_main(hub: Hub, cache: Path, run: Run, vector: np.ndarray) -> None:
    assert run("pull", ID, "--revision", "v1").returncode == 0
    assert not (model_folder(cache) / "refs/main").exists()
    assert np.array_equal(embedforge.Embedder(ID).encode("some words"), vector)


def test_modules_of_any_name(
    hub: Hub, cache: Path, run: Run, repository: Path, tmp_path: Path
) -> None:
    family = checkpoints.FAMILIES["bert"]
    folder = tmp_path / "checkpoint"
    shutil.copytree(repository, folder)
    checkpoints.write_modules(family, folder, dense=True)
    checkpoints.write_dense(folder / "2_Dense", 20)
    for old, new in (("1_Pooling", "how to pool"), ("2_Dense", "narrow_1024")):
        (folder / old).rename(folder / new)
        modules = (folder / "modules.json").read_text().replace(f'"{old}"', f'"{new}"')
        (folder / "modules.json").write_text(modules)
    hub.files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert run("pull", ID, "--weights").returncode == 0
    snapshot = check_cache(cache, hub)
    for name in (
        "how to pool/config.json",
        "narrow_1024/config.json",
        "narrow_1024/model.safetensors",
    ):
        assert (snapshot / name).exists()
