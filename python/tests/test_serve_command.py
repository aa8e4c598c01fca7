"""The flags of `embedforge serve`, their environment variables, and what text-embeddings-inference has besides."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import hostile
from serving import CLI, free_port
from test_serve_hostile import wait_ready


@contextmanager
def server(log: Path, *arguments: object, **environment: str) -> Iterator[int]:
    """The port of a server that is told everything else by its environment."""
    port = free_port()
    cli = os.environ.get("EMBEDFORGE_CLI", str(CLI))
    with log.open("wb") as out:
        process = subprocess.Popen(
            [cli, "serve", *map(str, arguments)],
            stdout=out,
            stderr=out,
            env={**os.environ, "PORT": str(port), **environment},
        )
    try:
        wait_ready(port, process)
        yield port
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0


def refused(*arguments: object, **environment: str) -> str:
    cli = os.environ.get("EMBEDFORGE_CLI", str(CLI))
    done = subprocess.run(
        [cli, "serve", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
    )
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert done.stderr.count("\n") == 1
    return done.stderr


def status(port: int, path: str, *headers: str, body: object = None) -> int:
    with hostile.Line(("127.0.0.1", port)) as line:
        if body is None:
            line.send("\r\n".join([f"GET {path} HTTP/1.1", "Host: t", *headers, "", ""]))
        else:
            line.send(hostile.post(path, body, *headers))
        return line.answer()[0]


def test_environment_variables_are_text_embeddings_inferences(
    converted: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    environment = {
        "MODEL_ID": str(converted),
        "HOSTNAME": "a-container",
        "API_KEY": "secret",
        "MAX_CLIENT_BATCH_SIZE": "3",
        "PAYLOAD_LIMIT": "5000",
        "AUTO_TRUNCATE": "false",
        "JSON_OUTPUT": "true",
        "LOG_LEVEL": "info,text_embeddings=debug",
        "EMBEDFORGE_LOG_REQUESTS": "true",
        "CORS_ALLOW_ORIGIN": "https://one,https://two",
    }
    body = {"inputs": ["a"]}
    key = "Authorization: Bearer secret"
    with server(log, **environment) as port:
        assert status(port, "/embed", body=body) == 401
        assert status(port, "/embed", key, body=body) == 200
        assert status(port, "/embed", "Authorization: secret", body=body) == 200
        assert status(port, "/embed", key, body={"inputs": ["a"] * 4}) == 422
        assert status(port, "/embed", key, body={"inputs": "a " * 1000}) == 422
        assert status(port, "/embed", key, body={"inputs": "a" * 6000}) == 413
        assert status(port, "/livez") == 200
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    requests = [line for line in lines if line["message"] == "request"]
    assert [line["status"] for line in requests if line["path"] == "/embed"] == [
        401,
        200,
        200,
        422,
        422,
        413,
    ]
    assert {line.get("key") for line in requests if line["status"] == 200} == {"key1", None}
    assert "secret" not in log.read_text()


def test_flags_win_and_what_does_nothing_is_said(converted: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    arguments = ["--alias", f"small={converted}", converted, "--auto-truncate", "true"]
    arguments += ["--otlp-endpoint", "http://x", "--dtype", "float16", "--uds-path", "/tmp/none"]
    with server(log, *arguments, AUTO_TRUNCATE="false", DISABLE_SPANS="true") as port:
        assert status(port, "/embed", body={"inputs": "a " * 1000}) == 200
        assert status(port, "/v1/embeddings", body={"input": "a", "model": "small"}) == 200
    text = log.read_text()
    for flag in ("--otlp-endpoint", "--dtype float16", "--uds-path", "--disable-spans"):
        assert text.count(f"{flag} does nothing here") == 1


def test_what_would_change_vectors_is_refused(converted: Path) -> None:
    assert "modules.json" in refused(converted, "--dense-path", "2_Dense")
    assert "embedforge pull" in refused(converted, REVISION="abc")
    assert "--pooling" in refused(converted, POOLING="splade")
    assert "MODEL_ID" in refused()
    assert "--alias" in refused(converted, "--alias", "nonsense")
    assert "--openai-token-ids" in refused(converted, "--openai-token-ids", "some")
    assert "--log-level" in refused(converted, "--log-level", "loud")


def test_keys_come_from_a_file_and_metrics_have_a_port(converted: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("team: abc\n")
    keys.chmod(0o644)
    metrics = free_port()
    arguments = (converted, "--api-keys", keys, "--prometheus-port", metrics, "--log-requests")
    with server(tmp_path / "log", *arguments) as port:
        assert status(port, "/embed", "X-Api-Key: abc", body={"inputs": "a"}) == 200
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics") as answer:
            assert b"te_request_count" in answer.read()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{metrics}/embed")
    log = (tmp_path / "log").read_text()
    assert "chmod 600" in log
    assert '"key":"team"' in log
