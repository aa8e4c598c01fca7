"""Damaged, missing and unsupported input: one clear line and the promised exit status, through the command line."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
MakeCopy = Callable[[], Path]
Run = Callable[..., "object"]


def refused(done, status: int, *parts: str) -> None:
    assert done.returncode == status, (done.returncode, done.stderr)
    assert done.stderr.startswith("embedforge: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr, (part, done.stderr)


def edit_model(folder: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    path = folder / "onnx" / "model.onnx"
    model = onnx.load(str(path))
    change(model)
    path.write_bytes(model.SerializeToString())


def test_invalid_utf8(run: Run, converted: Path, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_bytes(b"fine\nbroken \xff\xfe here\n")
    out = tmp_path / "out.npy"
    refused(run("encode", converted, "--input", lines, "--output", out), 3, "line 2", "UTF-8")
    refused(run("encode", converted, stdin=b"\xc3("), 3, "standard input: line 1")
    assert list(tmp_path.iterdir()) == [lines], "nothing half-written stays"


@pytest.mark.parametrize("size", [0, 1, 8, 1000, 1_000_000, 90_000_000])
def test_truncated_onnx(run: Run, copy_of: MakeCopy, size: int) -> None:
    folder = copy_of()
    path = folder / "onnx" / "model.onnx"
    path.write_bytes(path.read_bytes()[:size])
    refused(run("encode", folder, "x"), 3, "model.onnx")
    refused(run("inspect", path), 3, "model.onnx")


@pytest.mark.parametrize("size", [0, 7, 8, 5000, 90_000_000])
def test_truncated_safetensors(run: Run, model_folder: Path, tmp_path: Path, size: int) -> None:
    checkpoint(model_folder, tmp_path / "in", lambda data: data[:size])
    refused(run("convert", tmp_path / "in", "-o", tmp_path / "out"), 3, "model.safetensors")
    assert not (tmp_path / "out" / "onnx" / "model.onnx").exists()


def test_header_that_claims_more_than_the_file(
    run: Run, model_folder: Path, tmp_path: Path
) -> None:
    checkpoint(model_folder, tmp_path / "in", lambda data: struct.pack("<Q", 2**62) + data[8:])
    refused(run("convert", tmp_path / "in", "-o", tmp_path / "out"), 3, "claims")


def checkpoint(source: Path, target: Path, change: Callable[[bytes], bytes]) -> None:
    target.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (target / name).write_bytes((source / name).read_bytes())
    weights = (source / "model.safetensors").read_bytes()
    (target / "model.safetensors").write_bytes(change(weights))


def test_missing_tensor(run: Run, model_folder: Path, tmp_path: Path) -> None:
    def rename(data: bytes) -> bytes:
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + size])
        header["renamed"] = header.pop("encoder.layer.3.output.dense.weight")
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data[8 + size :]

    checkpoint(model_folder, tmp_path / "in", rename)
    done = run("convert", tmp_path / "in", "-o", tmp_path / "out")
    refused(done, 3, "encoder.layer.3.output.dense.weight")


def test_wrong_shape(run: Run, model_folder: Path, tmp_path: Path) -> None:
    checkpoint(model_folder, tmp_path / "in", lambda data: data)
    settings = json.loads((tmp_path / "in" / "config.json").read_text())
    settings["intermediate_size"] = 1024
    (tmp_path / "in" / "config.json").write_text(json.dumps(settings))
    done = run("convert", tmp_path / "in", "-o", tmp_path / "out")
    refused(done, 3, "intermediate.dense", "[1024, 384]", "[1536, 384]")


def test_pickle_that_would_run_code(run: Run, model_folder: Path, tmp_path: Path) -> None:
    import torch

    class Harmful:
        def __reduce__(self) -> tuple[object, ...]:
            return (os.system, (f"touch {tmp_path}/executed",))

    checkpoint(model_folder, tmp_path / "in", lambda data: data)
    (tmp_path / "in" / "model.safetensors").unlink()
    torch.save({"x": Harmful()}, tmp_path / "in" / "pytorch_model.bin")
    refused(
        run("convert", tmp_path / "in", "-o", tmp_path / "out"), 4, "pytorch_model.bin", ".system"
    )
    assert not (tmp_path / "executed").exists()


def test_old_torch_format(run: Run, model_folder: Path, tmp_path: Path) -> None:
    import torch

    checkpoint(model_folder, tmp_path / "in", lambda data: data)
    (tmp_path / "in" / "model.safetensors").unlink()
    torch.save(
        {"x": torch.zeros(2)},
        tmp_path / "in" / "pytorch_model.bin",
        _use_new_zipfile_serialization=False,
    )
    refused(run("convert", tmp_path / "in", "-o", tmp_path / "out"), 4, "before version 1.6")


def test_pytorch_bin_gives_the_same_file(run: Run, model_folder: Path, tmp_path: Path) -> None:
    """A pytorch_model.bin, whole and in half precision, is read like model.safetensors."""
    import torch
    from safetensors.torch import load_file

    checkpoint(model_folder, tmp_path / "in", lambda data: data)
    tensors = load_file(tmp_path / "in" / "model.safetensors")
    first = run("convert", tmp_path / "in", "-o", tmp_path / "a")
    assert first.returncode == 0, first.stderr
    (tmp_path / "in" / "model.safetensors").unlink()
    torch.save(tensors, tmp_path / "in" / "pytorch_model.bin")
    second = run("convert", tmp_path / "in", "-o", tmp_path / "b")
    assert second.returncode == 0, second.stderr
    same = [(tmp_path / side / "onnx" / "model.onnx").read_bytes() for side in "ab"]
    assert same[0] == same[1]

    half = {f"bert.{name}": tensor.to(torch.bfloat16) for name, tensor in tensors.items()}
    torch.save(half, tmp_path / "in" / "pytorch_model.bin")
    third = run("convert", tmp_path / "in", "-o", tmp_path / "c")
    assert third.returncode == 0, third.stderr
    name = "embeddings.word_embeddings.weight"
    model = onnx.load(str(tmp_path / "c" / "onnx" / "model.onnx"))
    words = next(t for t in model.graph.initializer if t.name == name)
    wanted = half[f"bert.{name}"].float().numpy()
    assert np.array_equal(numpy_helper.to_array(words), wanted)


def test_cyclic_graph(run: Run, copy_of: MakeCopy) -> None:
    folder = copy_of()

    def change(model: onnx.ModelProto) -> None:
        last = model.graph.node[-1].output[0]
        model.graph.node[0].input[-1] = last

    edit_model(folder, change)
    refused(run("encode", folder, "x"), 3, "model.onnx")


def test_unknown_operator(run: Run, copy_of: MakeCopy) -> None:
    folder = copy_of()

    def change(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == "Softmax")
        node.op_type = "Frobnicate"

    edit_model(folder, change)
    refused(run("encode", folder, "x"), 4, "Frobnicate")
    shown = run("inspect", folder)
    assert shown.returncode == 0
    assert "does not run" in shown.stdout


def test_missing_initializer(run: Run, copy_of: MakeCopy) -> None:
    folder = copy_of()

    def change(model: onnx.ModelProto) -> None:
        kept = [t for t in model.graph.initializer if t.name != "encoder.layer.2.output.dense.bias"]
        del model.graph.initializer[:]
        model.graph.initializer.extend(kept)

    edit_model(folder, change)
    refused(run("encode", folder, "x"), 3, "encoder.layer.2.output.dense.bias")


def test_a_model_that_is_no_encoder(run: Run, copy_of: MakeCopy) -> None:
    folder = copy_of()
    graph = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["y"])],
        "negate",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    onnx.save(helper.make_model(graph), str(folder / "onnx" / "model.onnx"))
    refused(run("encode", folder, "x"), 4)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"model": 5}', b"\xff\xfe"])
def test_tokenizer(run: Run, copy_of: MakeCopy, content: bytes | None) -> None:
    folder = copy_of()
    if content is None:
        (folder / "tokenizer.json").unlink()
        (folder / "vocab.txt").unlink()  # which serves in its place
    else:
        (folder / "tokenizer.json").write_bytes(content)
    refused(run("encode", folder, "x"), 3, "tokenizer.json")
    refused(run("tokenize", folder, "x"), 3, "tokenizer.json")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["encode", "no/such-model", "x"], 3),
        (["encode", "missing.onnx", "x"], 3),
        (["convert", "no/such-model", "-o", "out"], 3),
        (["inspect", "."], 3),
        (["encode", "{model}", "x", "--backend", "torch", "--device", "tensorrt"], 2),
        (["encode", "{model}", "x", "--device", "cuda"], 4),
        (["encode", "{model}", "x", "--gpu-mem-limit", "2GB"], 2),
        (["encode", "{model}", "x", "--precision", "int7"], 2),
        (["encode", "{model}", "x", "--backend", "abacus"], 2),
        (["encode", "{model}", "x", "--threads", "0"], 2),
        (["encode", "{model}", "x", "--dimensions", "1000"], 2),
        (["encode", "{model}", "x", "--prompt-name", "nothing"], 2),
        (["encode", "{model}", "x", "--output", "vectors.xml"], 2),
        (["encode", "{model}", "x", "--input", "also.txt"], 2),
        (["encode", "{model}", "--input", "no-such-file.txt"], 3),
        (["encode", "{model}", "x", "--output", "/proc/nowhere/v.npy"], 3),
        (["encode"], 2),
        (["no-such-command"], 2),
        ([], 2),
        (["convert", MODEL, "-o", "{tmp}/x", "--opset", "11"], 2),
    ],
)
def test_wrong_use(
    run: Run, converted: Path, tmp_path: Path, arguments: list[str], status: int
) -> None:
    filled = [a.format(model=converted, tmp=tmp_path) for a in arguments]
    refused(run(*filled), status)
