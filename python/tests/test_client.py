"""EmbeddingClient: every provider gives the same vectors, and what goes wrong is one clear line."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import embedforge
from embedforge.client import EmbeddingClient
from provider_server import KEY, ProviderServer
from texts import passages, sentences

REMOTE = ["openai", "tei", "ollama", "cohere", "voyage"]
KEYED = ["openai", "cohere", "voyage"]
TEXTS = passages()[:40] + sentences()[:60]


@pytest.fixture(scope="module")
def server(embedder: embedforge.Embedder) -> Iterator[ProviderServer]:
    server = ProviderServer(lambda texts: embedder.encode(texts, normalize=False))
    yield server
    server.close()


@pytest.fixture(scope="module")
def wanted(embedder: embedforge.Embedder) -> np.ndarray:
    return embedder.encode(TEXTS)


@pytest.fixture(autouse=True)
def quiet_server(server: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.trouble.clear()
    server.requests.clear()
    for name in ("OPENAI", "TEI", "COHERE", "VOYAGE"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)


def remote(server: ProviderServer, provider: str, **options: object) -> EmbeddingClient:
    key = KEY if provider in KEYED else None
    return EmbeddingClient(provider, "m", server.base_url(provider), key, **options)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("provider", ["native", "onnxruntime", "torch", *REMOTE])
def test_every_provider_gives_the_same_vectors(
    server: ProviderServer,
    converted: Path,
    model_folder: Path,
    wanted: np.ndarray,
    provider: str,
) -> None:
    if provider in REMOTE:
        client = remote(server, provider)
    else:
        folder = model_folder if provider == "torch" else converted
        client = EmbeddingClient(provider, folder)
    found = client.embed(TEXTS)
    assert found.dtype == np.float32
    assert cosines(found, wanted).min() > 0.99999
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-5
    usage = client.usage
    assert usage.texts == 100
    assert usage.tokens >= 100 * 10
    one = client.embed(TEXTS[0])
    assert one.shape == (384,)
    assert cosines(one[None], wanted[:1])[0] > 0.99999
    assert client.embed(TEXTS[0], dimensions=64).shape == (64,)
    assert client.usage.texts == 102


def test_requests_keep_to_the_limits(server: ProviderServer) -> None:
    texts = [f"text {i}" for i in range(200)]
    sizes = {}
    for provider, field in (("tei", "inputs"), ("cohere", "texts"), ("openai", "input")):
        server.requests.clear()
        remote(server, provider).embed(texts)
        sizes[provider] = [len(request["body"][field]) for request in server.requests]
    assert sizes["tei"] == [7] * 28 + [4], "as /info says"
    assert sizes["cohere"] == [96, 96, 8]
    assert sizes["openai"] == [200]
    server.requests.clear()
    remote(server, "openai").embed(["x" * 200_000, "y" * 200_000])
    assert len(server.requests) == 2, "300,000 tokens a request"
    server.requests.clear()
    remote(server, "openai").embed(texts, batch_size=50)
    assert len(server.requests) == 4


def test_queries_and_prompts(server: ProviderServer) -> None:
    remote(server, "cohere").embed("x", input_type="query")
    remote(server, "voyage").embed("x", input_type="query")
    remote(server, "tei").embed("x", prompt_name="query")
    remote(server, "ollama").embed("x", prompt="search: ")
    bodies = [request["body"] for request in server.requests]
    assert bodies[0]["input_type"] == "search_query"
    assert bodies[1]["input_type"] == "query"
    assert bodies[2]["prompt_name"] == "query"
    assert bodies[3]["input"] == ["search: x"]
    with pytest.raises(embedforge.UsageError, match="prompt"):
        remote(server, "ollama").embed("x", prompt_name="nothing")
    with pytest.raises(embedforge.UsageError, match="input_type"):
        remote(server, "ollama").embed("x", input_type="both")


@pytest.mark.parametrize("provider", KEYED)
def test_keys(server: ProviderServer, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{provider.upper()}_API_KEY"
    monkeypatch.setenv(name, KEY)
    EmbeddingClient(provider, "m", server.base_url(provider)).embed("x")
    assert server.requests[-1]["key"] == f"Bearer {KEY}"
    monkeypatch.setenv(name, "wrong")
    server.requests.clear()
    with pytest.raises(
        embedforge.RemoteError, match=r"401 Unauthorized.*Incorrect API key"
    ) as error:
        EmbeddingClient(provider, "m", server.base_url(provider)).embed("x")
    assert name in str(error.value)
    assert "\n" not in str(error.value)
    assert "wrong" not in str(error.value)
    assert len(server.requests) == 1, "a refused key is not tried again"
    monkeypatch.delenv(name)
    with pytest.raises(embedforge.BadInputError, match=name):
        EmbeddingClient(provider, "m")


def test_what_passes_is_tried_again(server: ProviderServer) -> None:
    server.trouble = [(429, {"Retry-After": "1"}, {}), (503, {}, {}), "cut"]
    start = time.monotonic()
    vector = remote(server, "ollama").embed("hello")
    assert time.monotonic() - start > 0.99
    assert vector.shape == (384,)
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [400, 403, 404, 422, 500])
def test_nothing_else_is_tried_again(server: ProviderServer, status: int) -> None:
    server.trouble = [(status, {}, {"error": "because\nof this"})]
    with pytest.raises(embedforge.RemoteError, match=f"{status}.*because") as error:
        remote(server, "ollama").embed("hello")
    assert server.url in str(error.value)
    assert "\n" not in str(error.value)
    assert len(server.requests) == 1


def test_gives_up_in_the_end(server: ProviderServer) -> None:
    server.trouble = [(503, {}, {"error": "loading"})] * 3
    with pytest.raises(embedforge.RemoteError, match=r"503 Service Unavailable.*loading"):
        remote(server, "ollama", retries=1).embed("hello")
    assert len(server.requests) == 2
    server.trouble = [(429, {"Retry-After": "7200"}, {})]
    with pytest.raises(embedforge.RemoteError, match="7200 s"):
        remote(server, "ollama").embed("hello")
    server.trouble = ["cut"] * 2
    with pytest.raises(embedforge.RemoteError, match="tried 2 times"):
        remote(server, "ollama", retries=1).embed("hello")


def test_dead_and_slow_hosts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        start = time.monotonic()
        with pytest.raises(embedforge.RemoteError, match="failed"):
            EmbeddingClient("tei", base_url=f"http://127.0.0.1:{port}", timeout=0.3).embed("x")
        assert time.monotonic() - start < 2, "a time-out is not tried again"
    with pytest.raises(embedforge.RemoteError, match=rf"127.0.0.1:{port}.*failed"):
        EmbeddingClient("tei", base_url=f"http://127.0.0.1:{port}", retries=1).embed("x")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"<html>", "no JSON"),
        ({"embeddings": [[1.0, 2.0]]}, "1 embeddings for 2 texts"),
        ({"embeddings": [[1.0, 2.0], [1.0]]}, "different lengths"),
        ({"embeddings": [[1.0], ["x"]]}, "no number"),
        ({"vectors": []}, "embeddings"),
        ([1], "embeddings"),
    ],
)
def test_answers_that_are_wrong(server: ProviderServer, answer: object, said: str) -> None:
    server.trouble = [(200, {}, answer)]
    with pytest.raises(embedforge.RemoteError, match=said):
        remote(server, "ollama").embed(["a", "b"])


def test_wrong_indices(server: ProviderServer) -> None:
    for data in ([{"index": 5, "embedding": [1.0]}], [{"index": 0, "embedding": "?"}]):
        server.trouble = [(200, {}, {"data": data})]
        with pytest.raises(embedforge.RemoteError, match=r"index|base64"):
            remote(server, "openai").embed("x")


def test_wrong_settings(converted: Path) -> None:
    for wrong, error in (
        ({"provider": "abacus"}, embedforge.UsageError),
        ({"provider": "openai", "api_key": "k"}, embedforge.UsageError),
        ({"provider": "native", "model": converted, "api_key": "k"}, embedforge.UsageError),
        ({"provider": "ollama", "model": "m", "threads": 2}, embedforge.UsageError),
        ({"provider": "ollama", "model": "m", "base_url": "ftp://x"}, embedforge.UsageError),
    ):
        with pytest.raises(error):
            EmbeddingClient(**wrong).embed("x")  # type: ignore[arg-type]
    for texts in (None, 5, b"bytes", ["fine", None], [["nested"]], ["fine", b"bytes"]):
        with pytest.raises(TypeError, match="must be a"):
            EmbeddingClient("ollama", "m").embed(texts)


def test_embedder_takes_servers_too(
    server: ProviderServer, embedder: embedforge.Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", server.url.removeprefix("http://"))
    other = embedforge.Embedder("m", backend="ollama")
    assert other.dimension == 384
    texts = passages()[:40]
    assert cosines(other.encode(texts), embedder.encode(texts)).min() > 0.99999
    assert other.encode(texts, precision="ubinary").shape == (40, 48)
    with pytest.raises(embedforge.UsageError, match="pooling"):
        embedforge.Embedder("m", backend="ollama", pooling="mean")
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    monkeypatch.setenv("COHERE_BASE_URL", server.url)
    embedforge.Embedder("m", backend="cohere").encode_query("x")
    assert server.requests[-1]["body"]["input_type"] == "search_query"


def test_several_threads_share_a_client(server: ProviderServer) -> None:
    client = remote(server, "tei")
    texts = [f"text {i}" for i in range(20)]
    wanted = client.embed(texts)
    found: list[np.ndarray] = []
    workers = [threading.Thread(target=lambda: found.append(client.embed(texts))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 4
    assert all(np.allclose(vectors, wanted, atol=1e-6) for vectors in found)
    assert client.usage.texts == 100


# The command line


def test_cli_remote(run, server: ProviderServer, embedder: embedforge.Embedder) -> None:  # type: ignore[no-untyped-def]
    for provider in ("tei", "ollama"):
        done = run("encode", "m", "hello", "world", "--backend", provider, "--base-url", server.url)
        assert done.returncode == 0, done.stderr
        rows = np.array([json.loads(line)["embedding"] for line in done.stdout.splitlines()])
        assert cosines(rows, embedder.encode(["hello", "world"])).min() > 0.99999
    done = run("encode", "n", "x", "--backend", "ollama", "--base-url", server.url)
    assert done.returncode == 5
    assert "404" in done.stderr and "try pulling it first" in done.stderr
    assert done.stderr.count("\n") == 1
    done = run("encode", "m", "x", "--backend", "ollama", "--threads", "2")
    assert done.returncode == 2 and "--threads" in done.stderr


def test_cli_torch(run, model_folder: Path, embedder: embedforge.Embedder, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("EMBEDFORGE_PYTHON", sys.executable)
    texts = passages()[:8]
    done = run("encode", model_folder, *texts, "--backend", "torch")
    assert done.returncode == 0, done.stderr
    rows = np.array([json.loads(line)["embedding"] for line in done.stdout.splitlines()])
    assert cosines(rows, embedder.encode(texts)).min() > 0.99999
    done = run("encode", "/nowhere/at/all", "x", "--backend", "torch")
    assert done.returncode == 3 and done.stderr.count("\n") == 1, done.stderr
    done = run("encode", model_folder, "x", "--backend", "torch", "--device", "tensorrt")
    assert done.returncode == 2
    bare = shutil.which("python3", path="/usr/bin:/bin")
    if (
        bare is None
        or subprocess.run([bare, "-c", "import embedforge"], capture_output=True).returncode == 0
    ):
        pytest.skip("no Python without embedforge")
    monkeypatch.setenv("EMBEDFORGE_PYTHON", bare)
    done = run("encode", model_folder, "x", "--backend", "torch")
    assert done.returncode == 4 and "pip install" in done.stderr
    assert done.stderr.count("\n") == 1
