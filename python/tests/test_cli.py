"""The command line gives what the library gives, in the promised forms."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import embedforge
from conftest import CLI
from texts import passages, sentences

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
COMMANDS = ["convert", "encode", "similarity", "tokenize", "bench", "eval", "inspect", "doctor"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_a_worked_example(run: Run, command: str) -> None:
    done = run(command, "-h")
    assert done.returncode == 0
    assert f"embedforge {command}" in done.stdout
    assert "Example" in done.stdout


def test_convert_prints_sizes_and_verifies(run: Run, tmp_path: Path) -> None:
    done = run("convert", MODEL, "-o", tmp_path, "--verify", "--with-pooling")
    assert done.returncode == 0, done.stderr
    assert "90.3 MB" in done.stdout
    assert str(tmp_path / "tokenizer.json") in done.stdout
    difference = float(done.stdout.split("largest difference to the checkpoint")[1].split()[0])
    assert 0 < difference < 1e-5


def test_encode_writes_npy(
    run: Run, converted: Path, embedder: embedforge.Embedder, tmp_path: Path
) -> None:
    texts = [*passages()[:40], *sentences(), "", "last line without an end"]
    lines = tmp_path / "texts.txt"
    lines.write_text("\n".join(texts), encoding="utf-8")
    out = tmp_path / "new" / "vectors.npy"
    done = run("encode", converted, "--input", lines, "--output", out)
    assert done.returncode == 0, done.stderr
    vectors = np.load(out)
    assert vectors.dtype == np.float32
    assert (vectors == embedder.encode(texts)).all()


def test_encode_writes_json_lines(
    run: Run, converted: Path, embedder: embedforge.Embedder, tmp_path: Path
) -> None:
    texts = ['quotes " and \\ backslash', "", "naïve café"]
    wanted = embedder.encode(texts)
    out = tmp_path / "vectors.jsonl"
    assert run("encode", converted, *texts, "--output", out).returncode == 0
    shown = run("encode", converted, stdin="\r\n".join(texts).encode())
    for lines in (out.read_text(), shown.stdout):
        rows = [json.loads(line) for line in lines.splitlines()]
        assert [row["text"] for row in rows] == texts
        found = np.array([row["embedding"] for row in rows], np.float32)
        assert (found == wanted).all()


def test_encode_nothing(run: Run, converted: Path, tmp_path: Path) -> None:
    out = tmp_path / "none.npy"
    assert run("encode", converted, "--output", out, stdin=b"").returncode == 0
    assert np.load(out).shape == (0, 384)


def test_encode_options(run: Run, converted: Path, embedder: embedforge.Embedder) -> None:
    def vector(*options: object) -> np.ndarray:
        done = run("encode", converted, "hello world, once more", *options)
        assert done.returncode == 0, done.stderr
        return np.array(json.loads(done.stdout)["embedding"], np.float32)

    text = "hello world, once more"
    assert (vector("--dimensions", 32) == embedder.encode(text, dimensions=32)).all()
    assert (vector("--no-normalize") == embedder.encode(text, normalize=False)).all()
    short = embedforge.Embedder(converted, max_length=4, pooling="cls", threads=1)
    assert (
        vector("--max-length", 4, "--pooling", "cls", "--threads", 1) == short.encode(text)
    ).all()
    assert (vector("--file", "onnx/model.onnx") == embedder.encode(text)).all()


def test_similarity(run: Run, converted: Path) -> None:
    texts = ("A man plays a guitar.", "Somebody is making music.", "Interest rates rose.")
    done = run("similarity", converted, *texts, "--json")
    scores = [row["score"] for row in json.loads(done.stdout)]
    assert 1 > scores[0] > scores[1] > -1
    assert f"{scores[0]:.4f}" in run("similarity", converted, *texts).stdout


def test_tokenize(run: Run, converted: Path) -> None:
    done = run("tokenize", converted, "Unaffable café")
    line = json.loads(done.stdout)
    assert line["tokens"][0] == "[CLS]"
    assert line["tokens"][-2:] == ["cafe", "[SEP]"]
    assert line["offsets"][-2] == [10, 14]
    assert len(line["ids"]) == len(line["tokens"])


def test_inspect(run: Run, converted: Path) -> None:
    info = json.loads(run("inspect", converted, "--json").stdout)
    assert [value["name"] for value in info["outputs"]] == ["last_hidden_state"]
    assert info["inputs"][0]["shape"] == ["batch", "sequence"]
    assert info["operators"]["LayerNormalization"] == 13
    assert info["native"]["runs"] is True
    assert info["native"]["steps"]["attention"] == 6
    assert "runs as" in run("inspect", converted).stdout


def test_doctor(run: Run) -> None:
    done = run("doctor")
    assert done.returncode == 0
    for word in ("processor", "kernels", "threads", "native"):
        assert word in done.stdout


def test_interrupt_leaves_nothing_behind(converted: Path, tmp_path: Path) -> None:
    out = tmp_path / "vectors.npy"
    process = subprocess.Popen(
        [
            os.environ.get("EMBEDFORGE_CLI", str(CLI)),
            "encode",
            str(converted),
            "--output",
            str(out),
        ],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()):  # the partial file appears
        assert time.monotonic() < deadline
        process.stdin.write(b"some text\n" * 100)
        process.stdin.flush()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert list(tmp_path.iterdir()) == []


def test_similarity_is_the_models_own(
    run: Run, copy_of: Callable[[], Path], embedder: embedforge.Embedder
) -> None:
    folder = copy_of()
    settings = folder / "config_sentence_transformers.json"
    a, b = embedder.encode(["It rains", "The sun shines"])
    for name, wanted in (
        ("cosine", a @ b),
        ("dot", a @ b),
        ("euclidean", -np.linalg.norm(a - b)),
        ("manhattan", -np.abs(a - b).sum()),
    ):
        settings.write_text(json.dumps({"similarity_fn_name": name}))
        done = run("similarity", folder, "It rains", "The sun shines", "--json")
        assert done.returncode == 0, done.stderr
        assert abs(json.loads(done.stdout)[0]["score"] - wanted) < 1e-5
    settings.write_text(json.dumps({"similarity_fn_name": "hamming"}))
    done = run("similarity", folder, "x", "y")
    assert done.returncode == 4 and "similarity_fn_name" in done.stderr
