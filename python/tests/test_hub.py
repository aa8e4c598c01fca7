"""embedforge pull against a server that speaks the hub's protocol, and a cache shared with huggingface_hub."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import checkpoints
import embedforge
from conftest import CLI, Run
from hub_server import COMMIT, ID, Hub

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    checkpoints.make_checkpoint("bert", folder)
    (folder / "README.md").write_text("not needed")
    (folder / "pytorch_model.bin").write_bytes(b"not needed either" * 1000)
    return folder


@pytest.fixture
def hub(repository: Path) -> Iterator[Hub]:
    server = Hub(repository)
    yield server
    server.close()


@pytest.fixture
def cache(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "HF_HUB_CACHE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    return tmp_path / "home" / "hub"


def model_folder(cache: Path) -> Path:
    return cache / "models--owner--name"


def check_cache(cache: Path, hub: Hub) -> Path:
    """Every blob has the checksum that names it; nothing unfinished is left. Gives the snapshot."""
    folder = model_folder(cache)
    by_etag = {hub.etag(name): content for name, content in hub.files.items()}
    blobs = sorted((folder / "blobs").iterdir())
    assert blobs
    for blob in blobs:
        assert blob.read_bytes() == by_etag[blob.name]
    assert (folder / "refs" / "main").read_text() == COMMIT
    snapshot = folder / "snapshots" / COMMIT
    for path in snapshot.rglob("*"):
        if path.is_dir():
            continue
        assert path.is_symlink() and not path.readlink().is_absolute()
        assert path.read_bytes() == hub.files[str(path.relative_to(snapshot))]
    return snapshot


def hub_download(*arguments: str) -> str:
    """huggingface_hub's snapshot_download, in a process of its own, since it reads the environment at import."""
    code = "import sys, huggingface_hub as h; print(h.snapshot_download(sys.argv[1], **eval(sys.argv[2])))"
    options = arguments[0] if arguments else "{}"
    done = subprocess.run(
        [sys.executable, "-c", code, ID, options],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.strip()


def test_only_what_is_needed(hub: Hub, cache: Path, run: Run) -> None:
    done = run("pull", ID)
    assert done.returncode == 0, done.stderr
    snapshot = check_cache(cache, hub)
    names = {str(p.relative_to(snapshot)) for p in snapshot.rglob("*") if not p.is_dir()}
    assert names == {
        "1_Pooling/config.json",
        "config.json",
        WEIGHTS,
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert done.stdout.splitlines()[-1] == str(snapshot)
    sent = dict(hub.sent)
    again = run("pull", ID, "--revision", "v1")  # the same commit
    assert again.returncode == 0
    assert dict(hub.sent) == sent
    assert (model_folder(cache) / "refs" / "v1").read_text() == COMMIT
    assert again.stdout.count("(was there)") == 7


def test_an_id_is_pulled_where_a_model_is_taken(
    hub: Hub, cache: Path, run: Run, tmp_path: Path
) -> None:
    done = run("convert", ID, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    check_cache(cache, hub)
    assert run("encode", tmp_path / "out", "a b").returncode == 0
    listed = json.loads(run("models", "--json").stdout)
    assert listed["cached"][0]["id"] == ID
    assert listed["cached"][0]["dimensions"] == 64
    assert listed["cached"][0]["pooling"] == "cls"
    assert {each["model_type"] for each in listed["architectures"]} >= {"bert", "qwen3", "mpnet"}


def test_an_onnx_file_is_used_where_there_is_one(
    hub: Hub, cache: Path, run: Run, repository: Path, tmp_path: Path
) -> None:
    embedforge.convert(repository, tmp_path / "onnx")
    hub.files["onnx/model.onnx"] = (tmp_path / "onnx/onnx/model.onnx").read_bytes()
    hub.files["onnx/model_quantized.onnx"] = b"another"
    vector = embedforge.Embedder(ID).encode("some words")
    assert np.array_equal(vector, embedforge.Embedder(tmp_path / "onnx").encode("some words"))
    snapshot = check_cache(cache, hub)
    assert not (snapshot / WEIGHTS).exists()
    assert not (snapshot / "onnx/model_quantized.onnx").exists()
    assert run("convert", ID, "-o", tmp_path / "again").returncode == 0  # needs the weights
    assert (snapshot / WEIGHTS).exists()


def test_offline(hub: Hub, cache: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert run("pull", ID).returncode == 5
    missing = run("encode", ID, "x")
    assert missing.returncode == 3 and "HF_HUB_OFFLINE" in missing.stderr
    assert not hub.requests


def test_cut_transfers_go_on(hub: Hub, cache: Path, run: Run) -> None:
    size = len(hub.files[WEIGHTS])
    hub.faults = {
        WEIGHTS: [("cut", size // 3), ("cut", size // 4)],
        "tokenizer.json": [("cut", 10)],
    }
    done = run("pull", ID)
    assert done.returncode == 0, done.stderr
    check_cache(cache, hub)
    assert hub.sent[WEIGHTS] == size  # not a byte twice
    assert [r for _, path, r in hub.requests if path.startswith("/cdn/") and r]


def test_a_pull_that_gave_up_goes_on_later(hub: Hub, cache: Path, run: Run) -> None:
    size = len(hub.files[WEIGHTS])
    hub.faults = {WEIGHTS: [("cut", size // 2), *[403] * 9]}
    done = run("pull", ID)
    assert done.returncode == 5, done.stdout
    assert len(done.stderr.splitlines()) == 1
    blobs = model_folder(cache) / "blobs"
    assert (blobs / (hub.etag(WEIGHTS) + ".incomplete")).stat().st_size == size // 2
    assert not (blobs / hub.etag(WEIGHTS)).exists()
    assert not (model_folder(cache) / "refs").exists()  # so it doesn't count as there
    hub.faults = {}
    assert run("pull", ID).returncode == 0
    check_cache(cache, hub)
    assert hub.sent[WEIGHTS] == size


def test_huggingface_hub_is_not_disturbed_by_our_part(hub: Hub, cache: Path, run: Run) -> None:
    hub.faults = {WEIGHTS: [("cut", 5000), *[403] * 9]}
    assert run("pull", ID).returncode == 5
    hub.faults = {}
    hub_download()
    for part in (model_folder(cache) / "blobs").glob("*.incomplete"):  # it has others of its own
        part.unlink()
    check_cache(cache, hub)


def test_a_pull_that_was_killed_goes_on_later(hub: Hub, cache: Path, run: Run) -> None:
    hub.faults = {WEIGHTS: [("stall", 50_000)]}
    with subprocess.Popen([CLI, "pull", ID], stdout=subprocess.DEVNULL) as killed:
        assert hub.stalled.wait(60)
        killed.kill()
    hub.go_on.set()
    assert not (model_folder(cache) / "blobs" / hub.etag(WEIGHTS)).exists()
    assert run("pull", ID).returncode == 0  # the lock is nobody's
    check_cache(cache, hub)


@pytest.mark.parametrize("fault", [("retry", 1), 500, 502, 503, 504])
def test_passing_trouble(hub: Hub, cache: Path, run: Run, fault: object) -> None:
    hub.faults = {"api": [fault], WEIGHTS: [503], "config.json": [("retry", 0)]}
    done = run("pull", ID)
    if fault == 500:  # not one that passes
        assert done.returncode == 5
        assert "500" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    check_cache(cache, hub)


def test_wrong_checksums_are_never_kept(hub: Hub, cache: Path, run: Run) -> None:
    hub.faults = {WEIGHTS: [("wrong",)], "config.json": [("wrong",)]}
    assert run("pull", ID).returncode == 0  # the second try is right
    check_cache(cache, hub)
    hub.files["model.safetensors"] += b"more"  # a new commit's weights, damaged for good
    hub.faults = {WEIGHTS: [("wrong",)] * 5}
    done = run("pull", ID)
    assert done.returncode == 5
    assert WEIGHTS in done.stderr and "checksum" in done.stderr
    blobs = model_folder(cache) / "blobs"
    assert not [path for path in blobs.iterdir() if path.name.startswith(hub.etag(WEIGHTS))]


def test_refusals(hub: Hub, cache: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = run("pull", "owner/other")
    assert gone.returncode == 3 and "owner/other" in gone.stderr
    revision = run("pull", ID, "--revision", "v9")
    assert revision.returncode == 3 and "v9" in revision.stderr
    hub.gated_token = "hf_secret"
    gated = run("pull", ID)
    assert gated.returncode == 5 and "HF_TOKEN" in gated.stderr and "gated" in gated.stderr
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert run("pull", ID).returncode == 5
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert run("pull", ID).returncode == 0
    check_cache(cache, hub)
    assert not hub.leaked  # the token is for the hub, not for the host that it redirects to
    assert run("pull", "../../etc").returncode == 3
    assert run("pull", ID, "--revision", "../../x").returncode == 2
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    started = run("pull", ID)
    assert started.returncode == 5 and len(started.stderr.splitlines()) == 1


def test_names_that_leave_the_folder(hub: Hub, cache: Path, run: Run, tmp_path: Path) -> None:
    for name in ("../../../escaped.json", "/tmp/escaped.json", "a/../../config.json"):
        hub.extra = [{"rfilename": name, "size": 2, "blobId": "0" * 40}]
        done = run("pull", ID)
        assert done.returncode == 5 and "leaves" in done.stderr, name
    assert not cache.exists() or not list(cache.rglob("*.json"))
    hub.extra = [{"rfilename": "vocab.txt", "size": 2, "blobId": "../../../../evil"}]
    assert run("pull", ID).returncode == 5


@pytest.mark.parametrize("ranges", [True, False])
def test_large_files_come_in_ranges(hub: Hub, cache: Path, run: Run, ranges: bool) -> None:
    hub.ranges = ranges
    content = np.random.default_rng(5).bytes(66 << 20)
    hub.files = {"config.json": b"{}", WEIGHTS: content}
    hub.faults = {WEIGHTS: [("cut", 1 << 20)] * (2 if ranges else 0)}
    done = run("pull", ID)
    assert done.returncode == 0, done.stderr
    check_cache(cache, hub)
    asked = {r for method, path, r in hub.requests if path.startswith("/cdn/") and r}
    assert len(asked) >= (9 if ranges else 1)


def test_ranges_go_on(hub: Hub, cache: Path, run: Run) -> None:
    content = np.random.default_rng(5).bytes(70 << 20)
    hub.files = {"config.json": b"{}", WEIGHTS: content}
    hub.faults = {WEIGHTS: [None, None, None, *[403] * 30]}
    assert run("pull", ID).returncode == 5
    hub.faults = {}
    before = hub.sent[WEIGHTS]
    assert before >= 2 * (8 << 20)
    assert run("pull", ID).returncode == 0
    check_cache(cache, hub)
    assert hub.sent[WEIGHTS] == len(content)


def test_two_processes(hub: Hub, cache: Path, run: Run) -> None:
    content = np.random.default_rng(6).bytes(20 << 20)
    hub.files = {"config.json": b"{}", WEIGHTS: content}
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(run("pull", ID).returncode))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0, 0, 0]
    check_cache(cache, hub)
    assert hub.sent[WEIGHTS] == len(content)  # downloaded once


def test_huggingface_hub_reads_our_cache(
    hub: Hub, cache: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("pull", ID).returncode == 0
    snapshot = check_cache(cache, hub)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert Path(hub_download()) == snapshot
    monkeypatch.delenv("HF_HUB_OFFLINE")
    sent = dict(hub.sent)
    hub_download("{'allow_patterns': ['*.json', 'model.safetensors']}")
    assert dict(hub.sent) == sent  # it takes our blobs for its own


def test_we_read_the_cache_of_huggingface_hub(
    hub: Hub, cache: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = Path(hub_download())
    sent = dict(hub.sent)
    done = run("pull", ID)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == str(snapshot)
    assert dict(hub.sent) == sent
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert run("convert", ID, "-o", tmp_path / "out").returncode == 0
