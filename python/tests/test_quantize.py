"""embedforge quantize: size, quality natively and in ONNX Runtime, and bad input."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from tokenizers import Tokenizer

import checkpoints
import embedforge
from checkpoints import FAMILIES
from conftest import CLI, Run
from texts import passages, sentences


def mixed_texts() -> list[str]:
    """That no test judges with."""
    long, short = passages()[100:160], sentences()[200:230]
    return [text for i in range(30) for text in (*long[2 * i : 2 * i + 2], short[i])]


@pytest.fixture(scope="module")
def quantized(converted: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The model as each way makes it, with texts that the tests don't use."""
    folder = tmp_path_factory.mktemp("quantized")
    files = {name: folder / f"{name}.onnx" for name in ("nearest", "quick", "calibrated", "static")}
    embedforge.quantize(converted, files["nearest"], default_texts="none")
    embedforge.quantize(converted, files["quick"])
    for method, name in (("dynamic", "calibrated"), ("static", "static")):
        result = embedforge.quantize(
            converted, files[name], method=method, calibration=mixed_texts(), samples=60
        )
        assert result.calibration_texts == 60
        assert len(result.cosines) == 30
        assert len(result.errors) == 36
        assert np.mean(result.cosines) > 0.9997
    return files


def runtime_vectors(
    folder: Path, file: Path, texts: list[str], level: onnxruntime.GraphOptimizationLevel
) -> np.ndarray:
    """Mean-pooled unit vectors of ONNX Runtime, eight texts a padded batch."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(str(file), options)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    rows = []
    for begin in range(0, len(texts), 8):
        encoded = tokenizer.encode_batch(texts[begin : begin + 8])
        ids = np.array([e.ids for e in encoded], np.int64)
        mask = np.array([e.attention_mask for e in encoded], np.int64)
        hidden = session.run(
            None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        )[0]
        rows.append((hidden * mask[..., None]).sum(1))
    out = np.concatenate(rows)
    return out / np.linalg.norm(out, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def judged(embedder: embedforge.Embedder) -> tuple[list[str], np.ndarray]:
    """Texts of similar lengths side by side, and their float vectors."""
    texts = sorted(passages()[:40] + sentences()[:40], key=len)
    return texts, embedder.encode(texts)


@pytest.mark.parametrize(
    ("name", "mean", "least", "in_runtime"),
    [
        ("nearest", 0.9987, 0.997, 0.9987),
        ("quick", 0.9995, 0.999, 0.9995),
        ("calibrated", 0.9997, 0.999, 0.9997),
        ("static", 0.9995, 0.999, 0.9980),
    ],
)
def test_quality(
    converted: Path,
    judged: tuple[list[str], np.ndarray],
    quantized: dict[str, Path],
    name: str,
    mean: float,
    least: float,
    in_runtime: float,
) -> None:
    texts, expected = judged
    file = quantized[name]
    native = embedforge.Embedder(converted, file=file).encode(texts)
    cosines = (expected * native).sum(axis=1)
    assert cosines.mean() > mean
    assert cosines.min() > least
    for level in (
        onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
        onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    ):
        theirs = runtime_vectors(converted, file, texts, level)
        cosines = (expected * theirs).sum(axis=1)
        assert cosines.mean() > in_runtime
        assert cosines.min() > (0.99 if name == "static" else 0.997)


def test_batch_does_not_matter(converted: Path, quantized: dict[str, Path]) -> None:
    model = embedforge.Embedder(converted, file=quantized["calibrated"])
    texts = passages()[:20]
    together = model.encode(texts)
    assert all(np.array_equal(model.encode(text), together[i]) for i, text in enumerate(texts))


def test_file(converted: Path, quantized: dict[str, Path]) -> None:
    for name, file in quantized.items():
        assert file.stat().st_size < 24.15e6
        model = onnx.load(file)
        onnx.checker.check_model(model, full_check=True)
        assert {node.domain for node in model.graph.node} == {""}
        operators = [node.op_type for node in model.graph.node]
        if name == "static":  # weights, and activations but what GELU makes (and an uneven one)
            constant = operators.count("QuantizeLinear")
            assert 16 <= constant <= 18
            assert operators.count("DequantizeLinear") == constant + 36
        else:
            assert operators.count("MatMulInteger") == 36
    metadata = {p.key: p.value for p in onnx.load(quantized["calibrated"]).metadata_props}
    assert float(metadata["embedforge.cosine_mean"]) > 0.9995


def test_float_precision_of_a_quantized_file(
    converted: Path, judged: tuple[list[str], np.ndarray], quantized: dict[str, Path]
) -> None:
    """precision fp32 takes the file's weights as they are, without rounding the activations."""
    texts, expected = judged
    for file in quantized.values():
        vectors = embedforge.Embedder(converted, file=file, precision="fp32").encode(texts)
        assert ((expected * vectors).sum(axis=1)).min() > 0.9985


def test_reduced_range_keeps_neighbours_small(converted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    embedforge.quantize(converted, out, reduce_range=True)
    weights = [
        onnx.numpy_helper.to_array(i).astype(int)
        for i in onnx.load(out).graph.initializer
        if i.name.endswith("weight_quantized") and "encoder" in i.name
    ]
    assert len(weights) == 36
    assert max(np.abs(w[0::2] + w[1::2]).max() for w in weights) <= 128


def test_calibrate_methods(converted: Path, tmp_path: Path, run: Run) -> None:
    report = tmp_path / "report.json"
    for method in ("minmax", "entropy", "percentile"):
        done = run("quantize", converted, "-o", tmp_path / "out.onnx", "--method", "static",
                   "--calibrate-method", method, "--samples", "10", "--report", report)  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "10 built-in texts" in done.stdout
        written = json.loads(report.read_text())
        assert written["calibrate_method"] == method
        assert written["cosine"]["mean"] > 0.997
        assert written["reduction_percent"] > 70
        assert len(written["layers"]) == 36


def test_target_cosine(converted: Path, tmp_path: Path, run: Run) -> None:
    out, report = tmp_path / "out.onnx", tmp_path / "report.json"
    done = run("quantize", converted, "-o", out, "--calibration", "none", "--target-cosine",
               "0.9998", "--report", report)  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = json.loads(report.read_text())
    assert written["target_reached"]
    assert 0 < len(written["kept_float"]) < 36
    assert len(written["layers"]) + len(written["kept_float"]) == 36
    assert written["cosine"]["mean"] >= 0.9998
    model = onnx.load(out)
    assert sum(n.op_type == "MatMulInteger" for n in model.graph.node) == len(written["layers"])
    metadata = {p.key: p.value for p in model.metadata_props}
    assert float(metadata["embedforge.cosine_mean"]) == pytest.approx(
        written["cosine"]["mean"], abs=1e-6
    )
    done = run("quantize", converted, "-o", out, "--calibration", "none", "--target-cosine", "1")
    assert done.returncode == 4
    assert "not reached" in done.stderr
    assert out.exists()


@pytest.mark.parametrize("kind", ["last token", "dense", "max"])
def test_cosines_are_of_the_vectors_that_users_get(tmp_path: Path, kind: str) -> None:
    """Not of mean-pooled ones, where the model folder makes others of the tokens."""
    name = "qwen3" if kind == "last token" else "roberta"
    family = FAMILIES[name]
    checkpoint = tmp_path / "checkpoint"
    checkpoints.make_checkpoint(name, checkpoint)
    if kind == "dense":
        checkpoints.write_modules(family, checkpoint, dense=True)
        checkpoints.write_dense(checkpoint / "2_Dense", 20)
    if kind == "max":
        settings = {"word_embedding_dimension": checkpoints.HIDDEN, "pooling_mode_max_tokens": True}
        (checkpoint / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    folder = tmp_path / "out"
    embedforge.convert(checkpoint, folder)
    texts = [text for text in checkpoints.sample_texts(family) if text]
    texts = [f"{text} {i}" for i in range(3) for text in texts]
    result = embedforge.quantize(folder, folder / "onnx" / "int8.onnx", calibration=texts)
    held = texts[-len(result.cosines) :]
    exact = embedforge.Embedder(folder).encode(held)
    rounded = embedforge.Embedder(folder, file="onnx/int8.onnx").encode(held)
    cosines = np.sort((exact.astype(np.float64) * rounded).sum(axis=1))
    assert len(held) >= 4
    assert np.abs(cosines - np.array(result.cosines)).max() < 1e-6
    assert cosines.max() < 1 - 1e-6, "too good to tell vectors apart"


def test_exclude(converted: Path, tmp_path: Path, run: Run) -> None:
    names = [
        n.name for n in onnx.load(converted / "onnx/model.onnx").graph.node if n.op_type == "MatMul"
    ]
    out = tmp_path / "out.onnx"
    done = run("quantize", converted, "-o", out, "--exclude", names[0])
    assert done.returncode == 0, done.stderr
    assert "35 products in int8, 1 stay float" in done.stdout
    done = run("quantize", converted, "-o", out, "--exclude", "nothing")
    assert done.returncode == 2
    assert "nothing" in done.stderr


def test_bad_input(converted: Path, quantized: dict[str, Path], tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out.onnx"
    folder = Path(shutil.copytree(converted, tmp_path / "copy"))
    shutil.copy(quantized["nearest"], folder / "onnx/model.onnx")
    done = run("quantize", folder, "-o", out)
    assert done.returncode == 3
    assert "quantized already" in done.stderr

    few = tmp_path / "few.txt"
    few.write_text("one\ntwo\n\n")
    done = run("quantize", converted, "-o", out, "--calibration", few)
    assert done.returncode == 3
    assert "at least 10 texts" in done.stderr
    few.write_text("")
    assert run("quantize", converted, "-o", out, "--calibration", few).returncode == 3

    for shape, value in (
        ((384, 1536), np.nan),
        ((384, 1536), np.inf),
        ((1536,), np.nan),
        ((30522, 384), np.nan),
        ((30522, 384), np.inf),
    ):
        model = onnx.load(converted / "onnx/model.onnx")
        weight = next(i for i in model.graph.initializer if tuple(i.dims) == shape)
        values = onnx.numpy_helper.to_array(weight).copy()
        values[(3, 4)[: len(shape)]] = value
        weight.raw_data = values.tobytes()
        onnx.save(model, folder / "onnx/model.onnx")
        done = run("quantize", folder, "-o", out, "--calibration", "none")
        assert done.returncode == 3
        assert weight.name in done.stderr

    for samples in ("-3", "0", "9"):
        done = run("quantize", converted, "-o", out, "--samples", samples)
        assert done.returncode == 2
        assert "--samples" in done.stderr
    done = run("quantize", converted, "-o", "/proc/nowhere/out.onnx")
    assert done.returncode == 3
    done = run("quantize", converted, "-o", out, "--report", "/proc/nowhere/report.json")
    assert done.returncode == 3
    limit = ["bash", "-c", 'ulimit -f 4096 && "$0" quantize "$1" -o "$2" --calibration none']
    done = subprocess.run(
        [*limit, os.environ.get("EMBEDFORGE_CLI", str(CLI)), converted, out],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "cannot write" in done.stderr
    assert run("quantize", converted, "-o", out, "--target-cosine", "1.5").returncode == 2
    done = run("quantize", converted, "-o", converted / "onnx/model.onnx")
    assert done.returncode == 2
    done = run("quantize", converted, "-o", out, "--method", "static", "--calibration", "none")
    assert done.returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "few.txt"]
    with pytest.raises(embedforge.UsageError):
        embedforge.quantize(converted, out, calibrate_method="guess")


def test_training_is_not_worse_than_static(
    converted: Path,
    embedder: embedforge.Embedder,
    quantized: dict[str, Path],
    tmp_path: Path,
) -> None:
    """In ONNX Runtime and in the native engine, even with 90 texts and one epoch: an epoch that isn't
    better on held-out texts is dropped. How much better 600 texts make it is in docs/quantization.md.
    """
    pytest.importorskip("torch")
    out = tmp_path / "qat.onnx"
    losses: list[float] = []
    result = embedforge.qat(
        converted, out, calibration=mixed_texts(), samples=60, epochs=1,
        progress=lambda done, of, loss: losses.append(loss),
    )  # fmt: skip
    assert losses
    assert len(result.cosines) >= 16
    judged = passages()[:40] + sentences()[:40]
    expected = embedder.encode(judged)

    def cosines(file: Path) -> list[np.ndarray]:
        level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        theirs = runtime_vectors(converted, file, judged, level)
        native = embedforge.Embedder(converted, file=file).encode(judged)
        return [(expected * vectors).sum(axis=1) for vectors in (theirs, native)]

    theirs, native = cosines(out)
    assert theirs.mean() > 0.9985
    assert native.min() > 0.998
    for trained, static in zip((theirs, native), cosines(quantized["static"]), strict=True):
        assert trained.mean() >= static.mean()


def test_training_refuses(converted: Path, tmp_path: Path) -> None:
    """Before it has trained, and without leaving anything behind."""
    pytest.importorskip("torch")
    texts = mixed_texts()
    with pytest.raises(embedforge.BadInputError, match="48 texts"):
        embedforge.qat(converted, tmp_path / "qat.onnx", calibration=["one"])
    with pytest.raises(embedforge.UsageError, match="float model"):
        embedforge.qat(converted, converted / "onnx/model.onnx", calibration=texts)
    for target in ("/proc/nowhere/qat.onnx", tmp_path):
        with pytest.raises(embedforge.BadInputError, match="cannot write"):
            embedforge.qat(converted, target, calibration=texts)
    assert not list(tmp_path.iterdir())
