"""A running `embedforge serve`, and small models with heads for it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

LABELS = ["joy", "anger", "none"]
SERVED = [
    "A man is playing the guitar on a stage.",
    "Zwei Hunde jagen einander durch den Schnee \u2744.",
    "rates",
]
QUERY = "somebody makes music"
NAME = "text-embedding-3-small"  # an alias of MiniLM
CLI = Path(__file__).parents[2] / "build" / "embedforge"
LAYERS, HIDDEN, INNER, POSITIONS = 2, 32, 48, 128


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def post(url: str, body: Any, **headers: str) -> tuple[int, Any]:
    """The status and the JSON of the answer."""
    request = urllib.request.Request(
        url,
        data=body if isinstance(body, bytes) else json.dumps(body).encode(),
        headers={"content-type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        body = answer.read()
        return json.loads(body) if body else answer.status


@contextmanager
def serving(log: Path, *arguments: object) -> Iterator[str]:
    """The URL of a server with these models and flags; its output goes to `log`."""
    port = free_port()
    cli = os.environ.get("EMBEDFORGE_CLI", str(CLI))
    with log.open("wb") as out:
        server = subprocess.Popen(
            [cli, "serve", *map(str, arguments), "--port", str(port)], stdout=out, stderr=out
        )
        try:
            url = f"http://127.0.0.1:{port}"
            end = time.monotonic() + 60
            while True:
                try:
                    urllib.request.urlopen(url + "/readyz", timeout=5).close()
                    break
                except OSError:
                    assert server.poll() is None and time.monotonic() < end, log.read_text()
                    time.sleep(0.02)
            yield url
        finally:
            server.terminate()
            assert server.wait(timeout=60) == 0, log.read_text()


def write_classifier(folder: Path, tokenizer_of: Path, labels: list[str]) -> None:
    """A seeded BertForSequenceClassification with the vocabulary of another model's folder."""
    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        if (tokenizer_of / name).exists():
            shutil.copy(tokenizer_of / name, folder / name)
    vocabulary = len((tokenizer_of / "vocab.txt").read_text(encoding="utf-8").splitlines())
    random = np.random.default_rng(len(labels))
    weights: dict[str, Any] = {}

    def linear(name: str, outputs: int, inputs: int) -> None:
        weights[name + ".weight"] = random.normal(0, 0.3, (outputs, inputs)).astype(np.float32)
        weights[name + ".bias"] = random.normal(0, 0.1, outputs).astype(np.float32)

    def norm(name: str) -> None:
        weights[name + ".weight"] = np.ones(HIDDEN, np.float32)
        weights[name + ".bias"] = np.zeros(HIDDEN, np.float32)

    sizes = {"word": vocabulary, "position": POSITIONS, "token_type": 2}
    for name, rows in sizes.items():
        table = random.normal(0, 1, (rows, HIDDEN)).astype(np.float32)
        weights[f"bert.embeddings.{name}_embeddings.weight"] = table
    norm("bert.embeddings.LayerNorm")
    for i in range(LAYERS):
        layer = f"bert.encoder.layer.{i}."
        for part in ("query", "key", "value"):
            linear(f"{layer}attention.self.{part}", HIDDEN, HIDDEN)
        linear(layer + "attention.output.dense", HIDDEN, HIDDEN)
        norm(layer + "attention.output.LayerNorm")
        linear(layer + "intermediate.dense", INNER, HIDDEN)
        linear(layer + "output.dense", HIDDEN, INNER)
        norm(layer + "output.LayerNorm")
    linear("bert.pooler.dense", HIDDEN, HIDDEN)
    linear("classifier", len(labels), HIDDEN)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "vocab_size": vocabulary,
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "intermediate_size": INNER,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
    }
    (folder / "config.json").write_text(json.dumps(config))
