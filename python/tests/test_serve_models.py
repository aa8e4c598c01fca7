"""Several models in one server, exchanged and unloaded while it runs; what one request gets beside others."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embedforge
import tiny_models
from serving import get, post, serving

TEXTS = tiny_models.texts()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two models with one tokenizer and different vectors."""
    root = tmp_path_factory.mktemp("tiny")
    for name in ("bert", "mpnet"):
        tiny_models.make_model(name, root / "checkpoints" / name)
        embedforge.convert(root / "checkpoints" / name, root / name)
    return {name: root / name for name in ("bert", "mpnet")}


def vectors_of(url: str, texts: list[str], **more: Any) -> np.ndarray:
    status, answer = post(url + "/embed", {"inputs": texts, **more})
    assert status == 200, answer
    return np.asarray(answer, np.float32)


def pid_of(log: Path, port: int) -> int:
    """The process that listens on the port."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and f"--port\0{port}" in (entry / "cmdline").read_text():
            return int(entry.name)
    raise AssertionError(log.read_text())


def test_models_by_name_alias_and_path(tiny: dict[str, Path], tmp_path: Path) -> None:
    wanted = {name: embedforge.Embedder(folder).encode(TEXTS) for name, folder in tiny.items()}
    with serving(tmp_path / "log", *tiny.values(), "--alias", "small=mpnet") as url:
        names = [model["id"] for model in get(url + "/v1/models")["data"]]
        assert {str(folder) for folder in tiny.values()} <= set(names)
        for name, model in (("bert", "bert"), ("small", "mpnet"), ("mpnet:latest", "mpnet")):
            status, answer = post(url + "/v1/embeddings", {"input": TEXTS, "model": name})
            assert status == 200, answer
            found = np.asarray([each["embedding"] for each in answer["data"]], np.float32)
            assert np.array_equal(found, wanted[model]), (
                name
            )  # every digit that float32 has is sent
            by_path = vectors_of(f"{url}/models/{name}", TEXTS)
            assert np.array_equal(by_path, wanted[model]), name
        assert np.array_equal(vectors_of(url, TEXTS), wanted["bert"])  # the first
        status, answer = post(url + "/v1/embeddings", {"input": "x", "model": "else"})
        assert status == 404 and "--alias 'else=MODEL'" in answer["error"]["message"]
        metrics = urllib.request.urlopen(url + "/metrics").read().decode()
        for folder in tiny.values():
            assert f'te_request_success{{method="batch",model="{folder}"}}' in metrics


def test_any_name(tiny: dict[str, Path], tmp_path: Path) -> None:
    with serving(tmp_path / "log", tiny["bert"], "--alias", "*=bert") as url:
        status, answer = post(url + "/v1/embeddings", {"input": "salt", "model": "whatever"})
        assert status == 200 and answer["model"] == str(tiny["bert"])


def test_two_models_of_one_name_are_refused(tiny: dict[str, Path], tmp_path: Path) -> None:
    flags = ("--alias", f"{tiny['bert']}=mpnet")
    said = pytest.raises(AssertionError, match="two models would answer to")
    with said, serving(tmp_path / "log", *tiny.values(), *flags):
        pass


def test_a_vector_is_the_same_in_any_request(converted: Path, tmp_path: Path) -> None:
    texts = [f"text {i} " + "and more " * (i % 40) for i in range(600)]
    wanted = embedforge.Embedder(converted).encode(texts)
    with serving(tmp_path / "log", converted) as url:
        assert np.array_equal(vectors_of(url, texts), wanted)  # in parts of 256

        def one(i: int) -> bool:
            return np.array_equal(vectors_of(url, [texts[i]])[0], wanted[i])

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(one, range(0, 600, 5)))


def test_token_vectors_pool_to_the_vector(converted: Path, tmp_path: Path) -> None:
    texts = ["one text", "and another, which is longer"]
    with serving(tmp_path / "log", converted) as url:
        _, each = post(url + "/embed_all", {"inputs": texts})
        pooled = vectors_of(url, texts, normalize=False)
    for rows, vector in zip(each, pooled, strict=True):
        np.testing.assert_allclose(np.mean(rows, axis=0), vector, atol=1e-5)


def test_idle_models_are_unloaded_and_come_back(tiny: dict[str, Path], tmp_path: Path) -> None:
    with serving(tmp_path / "log", tiny["bert"], "--model-ttl", "1") as url:
        before = vectors_of(url, TEXTS)
        assert len(get(url + "/api/ps")["models"]) == 1
        end = time.monotonic() + 20
        while get(url + "/api/ps")["models"]:
            assert time.monotonic() < end
            time.sleep(0.2)
        assert np.array_equal(vectors_of(url, TEXTS), before)


def replace_graph(folder: Path, other: Path) -> None:
    """Another model's graph in the folder, as a careful user does it."""
    shutil.copy(other / "onnx" / "model.onnx", folder / "onnx" / "new")
    (folder / "onnx" / "new").replace(folder / "onnx" / "model.onnx")


class Asking:
    """Clients that ask all the time, and remember which of the wanted answers they got."""

    def __init__(self, vectors: Callable[[], np.ndarray], wanted: list[np.ndarray]) -> None:
        self.vectors, self.wanted = vectors, wanted
        self.found: set[int] = set()
        self.wrong: list[object] = []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(4)]

    def ask(self) -> None:
        while not self.stop.is_set():
            try:
                vectors = self.vectors()
            except Exception as error:
                self.wrong.append(error)
                continue
            which = [i for i, each in enumerate(self.wanted) if np.array_equal(vectors, each)]
            self.found.update(which)
            if not which:
                self.wrong.append(vectors)

    def __enter__(self) -> Asking:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()


def test_reload_under_load(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder, other = tmp_path / "served", tmp_path / "other"
    for each in (folder, other):
        shutil.copytree(tiny["bert"], each)
    replace_graph(other, tiny["mpnet"])
    old, new = (embedforge.Embedder(each).encode(TEXTS) for each in (folder, other))
    assert not np.allclose(old, new)
    log = tmp_path / "log"
    with serving(log, folder, "--api-key", "secret") as url:
        key = {"authorization": "Bearer secret"}

        def vectors() -> np.ndarray:
            status, answer = post(url + "/embed", {"inputs": TEXTS}, **key)
            assert status == 200, answer
            return np.asarray(answer, np.float32)

        with Asking(vectors, [old, new]) as asking:
            time.sleep(0.3)
            replace_graph(folder, tiny["mpnet"])
            status, answer = post(url + "/admin/reload", {}, **key)
            assert status == 200, answer
            time.sleep(0.3)
            half = (folder / "onnx" / "model.onnx").read_bytes()[:5000]
            (folder / "onnx" / "broken").write_bytes(half)
            (folder / "onnx" / "broken").replace(folder / "onnx" / "model.onnx")
            os.kill(pid_of(log, int(url.rsplit(":", 1)[1])), signal.SIGHUP)
            time.sleep(0.5)  # that fails, and the one in use goes on
        assert not asking.wrong, asking.wrong[0]
        assert asking.found == {0, 1}
        assert np.array_equal(vectors(), new)
        assert post(url + "/admin/reload", {})[0] == 401
    assert re.search("not reloaded.*model.onnx", log.read_text())


def test_reload_needs_a_key(tiny: dict[str, Path], tmp_path: Path) -> None:
    with serving(tmp_path / "log", tiny["bert"]) as url:
        status, answer = post(url + "/admin/reload", {})
        assert status == 401 and "SIGHUP" in json.dumps(answer)


def test_overload_is_said_at_once(converted: Path, tmp_path: Path) -> None:
    text = "a long text " * 200
    body = json.dumps({"inputs": [text] * 64}).encode()
    seen: list[tuple[int, str | None, str | None]] = []

    def ask(url: str) -> None:
        request = urllib.request.Request(
            url + "/embed", data=body, headers={"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                seen.append((answer.status, None, None))
        except urllib.error.HTTPError as error:
            seen.append((error.code, error.headers["retry-after"], error.headers["retry-after-ms"]))

    flags = ("--max-concurrent-requests", "64")
    with serving(tmp_path / "log", converted, *flags) as url:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(ask, [url] * 6))
        assert {status for status, _, _ in seen} == {200, 429}
        for status, seconds, milliseconds in seen:
            if status == 429:
                assert int(seconds or "0") >= 1 and int(milliseconds or "0") >= 1
        assert vectors_of(url, ["and now?"]).shape == (1, 384)


def first_answer(converted: Path, log: Path) -> Iterator[float]:
    """Seconds from a start to the first answer, three times."""
    for _ in range(3):
        begin = time.perf_counter()
        with serving(log, converted) as url:
            vectors_of(url, ["first"])
            yield time.perf_counter() - begin


def test_is_there_in_a_moment(converted: Path, tmp_path: Path) -> None:
    seconds = min(first_answer(converted, tmp_path / "log"))
    print(f"first answer after {seconds * 1000:.0f} ms")
    assert seconds < 2
