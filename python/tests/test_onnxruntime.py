"""The backend onnxruntime: the installed library, its options, its refusals; and the client of the guide."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import embedforge
from embedforge import ONNXEmbedder
from texts import AWKWARD, passages, sentences


@pytest.fixture(scope="module")
def runtime(converted: Path) -> embedforge.Embedder:
    return embedforge.Embedder(converted, backend="onnxruntime", threads=2)


def test_gives_the_same_vectors(
    runtime: embedforge.Embedder, embedder: embedforge.Embedder
) -> None:
    texts = passages()[:60] + sentences()[:60] + AWKWARD
    found = runtime.encode(texts, batch_size=16)
    wanted = embedder.encode(texts)
    assert (found * wanted).sum(1).min() > 0.99999
    assert runtime.encode([]).shape == (0, 384)
    assert runtime.encode("one").shape == (384,)


def test_tells_about_itself(runtime: embedforge.Embedder) -> None:
    import onnxruntime

    info = runtime.info
    assert info.runtime == f"onnxruntime {onnxruntime.__version__}"
    assert runtime.providers == ["CPUExecutionProvider"]
    assert info.inputs == ["input_ids", "attention_mask", "token_type_ids"]
    assert info.outputs == ["last_hidden_state"]
    assert (info.pooling, info.dimension, info.max_length, info.threads) == ("mean", 384, 256, 2)


@pytest.mark.parametrize(
    "options",
    [{"level": "none"}, {"level": "basic", "memory_pattern": False}, {"inter_op_threads": 2}],
)
def test_options(
    converted: Path, embedder: embedforge.Embedder, options: dict[str, object]
) -> None:
    other = embedforge.Embedder(converted, backend="onnxruntime", onnxruntime=options)
    assert other.encode("hello") @ embedder.encode("hello") > 0.99999


def test_wrong_options(converted: Path) -> None:
    for options in ({"level": "most"}, {"speed": 2}, {"level": 3}):
        with pytest.raises(embedforge.UsageError, match=r"level|speed"):
            embedforge.Embedder(converted, backend="onnxruntime", onnxruntime=options)
    with pytest.raises(embedforge.UsageError, match="gpu_mem_limit"):
        embedforge.Embedder(converted, backend="onnxruntime", gpu_mem_limit="a lot")
    with pytest.raises(embedforge.UsageError, match="device"):
        embedforge.Embedder(converted, backend="onnxruntime", device="toaster")
    with pytest.raises(embedforge.NotSupportedError, match="precision"):
        embedforge.Embedder(converted, backend="onnxruntime", precision="int8")


def test_falls_back_aloud(converted: Path) -> None:
    with pytest.warns(RuntimeWarning, match=r"[Pp]rovider"):
        gpu = embedforge.Embedder(
            converted, backend="onnxruntime", device="tensorrt", gpu_mem_limit="2GB"
        )
    assert gpu.providers[-1] == "CPUExecutionProvider"
    assert gpu.encode("x").shape == (384,)


def test_a_missing_library(converted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONNXRUNTIME_LIB", "/nowhere/libonnxruntime.so")
    with pytest.raises(embedforge.NotSupportedError, match=r"/nowhere/libonnxruntime\.so") as error:
        embedforge.Embedder(converted, backend="onnxruntime")
    assert "\n" not in str(error.value)


def test_damaged_file(copy_of) -> None:  # type: ignore[no-untyped-def]
    folder = copy_of()
    path = folder / "onnx" / "model.onnx"
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(embedforge.BadInputError, match=r"model\.onnx"):
        embedforge.Embedder(folder, backend="onnxruntime")


@pytest.fixture
def odd(copy_of) -> Path:  # type: ignore[no-untyped-def]
    """A graph that isn't an encoder of the engine's: the token's id and its sine, at a float16 output."""
    folder = copy_of()
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["x", "axes"], ["wide"]),
        helper.make_node("Sin", ["wide"], ["sine"], name="the_sine"),
        helper.make_node("Concat", ["wide", "sine"], ["both"], axis=2),
        helper.make_node("Cast", ["both"], ["hidden"], to=TensorProto.FLOAT16),
    ]
    graph = helper.make_graph(
        nodes,
        "odd",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT32, ["b", "s"])],
        [helper.make_tensor_value_info("hidden", TensorProto.FLOAT16, ["b", "s", "w"])],
        [helper.make_tensor("axes", TensorProto.INT64, [1], [2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "onnx" / "model.onnx"))
    return folder


def test_runs_what_the_engine_cannot(odd: Path) -> None:
    with pytest.raises(embedforge.NotSupportedError, match='backend="onnxruntime"') as error:
        embedforge.Embedder(odd)
    assert "\n" not in str(error.value)
    runtime = embedforge.Embedder(odd, backend="onnxruntime")
    ids = runtime.tokenize("hello world")["ids"]
    assert runtime.dimension == 2
    found = runtime.encode(["hello world", "x"], normalize=False)[0]
    assert np.allclose(found, [np.mean(ids), np.mean(np.sin(ids))], rtol=1e-3)
    # The guide's client picks what can run it.
    client = ONNXEmbedder(str(odd))
    assert client.input_names == ["input_ids"]
    assert client.encode("hello world", normalize=False)[0] == pytest.approx(np.mean(ids), rel=1e-3)


def test_a_graph_that_pools_alone_counts(converted: Path, tmp_path: Path) -> None:
    """In both runtimes, also where the folder names another pooling."""
    folder = Path(shutil.copytree(converted, tmp_path / "model"))
    path = folder / "onnx" / "model.onnx"
    model = onnx.load(str(path))
    first = onnx.helper.make_tensor("first", onnx.TensorProto.INT64, [], [0])
    model.graph.initializer.append(first)
    hidden = model.graph.output[0].name
    model.graph.node.append(onnx.helper.make_node("Gather", [hidden, "first"], ["cls"], axis=1))
    vector = onnx.helper.make_tensor_value_info("cls", onnx.TensorProto.FLOAT, ["batch", 384])
    del model.graph.output[:]
    model.graph.output.append(vector)
    onnx.save(model, str(path))
    wanted = embedforge.Embedder(converted, pooling="cls").encode("A river runs.")
    for backend in ("native", "onnxruntime"):
        found = embedforge.Embedder(folder, backend=backend).encode("A river runs.")
        assert np.abs(found - wanted).max() < 1e-5, backend


def test_graphs_that_pool(converted: Path, tmp_path: Path, embedder: embedforge.Embedder) -> None:
    embedforge.convert("sentence-transformers/all-MiniLM-L6-v2", tmp_path, with_pooling=True)
    path = tmp_path / "onnx" / "model.onnx"
    model = onnx.load(str(path))
    kept = [output for output in model.graph.output if output.name == "sentence_embedding"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    onnx.save(model, str(path))
    pooled = embedforge.Embedder(tmp_path, backend="onnxruntime")
    assert pooled.info.pooling == "in the graph"
    assert pooled.encode("hello") @ embedder.encode("hello") > 0.99999
    with pytest.raises(embedforge.NotSupportedError, match="pooling"):
        embedforge.Embedder(tmp_path, backend="onnxruntime", pooling="cls")


def test_the_guides_client(converted: Path, tmp_path: Path, embedder: embedforge.Embedder) -> None:
    """The lines under "# Usage" of the guide, with the folder that it would have written."""
    import shutil

    onnx_models = tmp_path / "minilm"
    shutil.copytree(converted, onnx_models, ignore=shutil.ignore_patterns("onnx"))
    shutil.copy(converted / "onnx" / "model.onnx", onnx_models / "model.onnx")

    embedder_ = ONNXEmbedder(model_path=str(onnx_models), device="cpu", num_threads=4)
    emb = embedder_.encode("Hello world")
    assert emb.shape == (384,)
    texts = ["Text 1", "Text 2", "Text 3"]
    embeddings = embedder_.encode(texts, batch_size=2)
    assert embeddings.shape == (3, 384)

    assert (embeddings == embedder.encode(texts)).all()
    assert embedder_.max_length == 256
    assert embedder_.providers == ["CPUExecutionProvider"]
    assert "token_type_ids" in embedder_.input_names
    assert embedder_.output_names == ["last_hidden_state"]
    raw = embedder_.encode(texts, normalize=False, show_progress=True)
    assert np.linalg.norm(raw, axis=1).min() > 1.5

    by_file = ONNXEmbedder(str(onnx_models / "model.onnx"), str(converted), 16, "cpu", 1)
    assert by_file.encode("Hello world") @ emb > 0.99999
    assert (ONNXEmbedder(str(converted)).encode(texts) == embeddings).all()
    with pytest.warns(RuntimeWarning, match="CUDAExecutionProvider"):
        assert ONNXEmbedder(str(converted), device="cuda").providers == ["CPUExecutionProvider"]
    with pytest.raises(ValueError, match="No ONNX file found"):
        empty = tmp_path / "empty"
        empty.mkdir()
        ONNXEmbedder(str(empty))


def test_cli(run, converted: Path, embedder: embedforge.Embedder, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import onnxruntime

    library = next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
    script = """
import os, subprocess, sys
os.environ["ONNXRUNTIME_LIB"] = sys.argv[1]
sys.exit(subprocess.run(sys.argv[2:]).returncode)
"""
    out = tmp_path / "out.npy"
    command = run("--version").args[0]
    arguments = [command, "encode", converted, "hello", "--output", out, "--backend", "onnxruntime"]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            library,
            *arguments,
            "--device",
            "cuda",
            "--gpu-mem-limit",
            "2GB",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "warning: CUDAExecutionProvider" in done.stderr
    assert np.load(out)[0] @ embedder.encode("hello") > 0.99999
    refused = run("encode", converted, "x", "--device", "cuda")
    assert refused.returncode == 4 and "onnxruntime" in refused.stderr
    refused = run("encode", converted, "x", "--gpu-mem-limit", "2GB")
    assert refused.returncode == 2
