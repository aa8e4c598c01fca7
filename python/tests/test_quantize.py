"""embedforge quantize: size, quality natively and in ONNX Runtime, and bad input."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from tokenizers import Tokenizer

import embedforge
from conftest import Run
from texts import passages, sentences


@pytest.fixture(scope="module")
def quantized(converted: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The model rounded to nearest, and by calibration with passages that the tests don't use."""
    folder = tmp_path_factory.mktemp("quantized")
    files = {name: folder / f"{name}.onnx" for name in ("nearest", "calibrated")}
    embedforge.quantize(converted, files["nearest"])
    result = embedforge.quantize(
        converted, files["calibrated"], calibration=passages()[100:220], samples=90
    )
    assert result.calibration_texts == 90
    assert len(result.cosines) == 30
    assert np.mean(result.cosines) > 0.9995
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


@pytest.mark.parametrize(
    ("name", "mean", "least"), [("nearest", 0.9987, 0.997), ("calibrated", 0.9995, 0.999)]
)
def test_quality(
    converted: Path,
    embedder: embedforge.Embedder,
    quantized: dict[str, Path],
    name: str,
    mean: float,
    least: float,
) -> None:
    texts = passages()[:80] + sentences()[:40]
    expected = embedder.encode(texts)
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
        assert cosines.mean() > mean
        assert cosines.min() > least


def test_batch_does_not_matter(converted: Path, quantized: dict[str, Path]) -> None:
    model = embedforge.Embedder(converted, file=quantized["calibrated"])
    texts = passages()[:20]
    together = model.encode(texts)
    assert all(np.array_equal(model.encode(text), together[i]) for i, text in enumerate(texts))


def test_file(converted: Path, quantized: dict[str, Path]) -> None:
    for file in quantized.values():
        assert file.stat().st_size < 25e6
        model = onnx.load(file)
        onnx.checker.check_model(model, full_check=True)
        assert {node.domain for node in model.graph.node} == {""}
        assert sum(node.op_type == "MatMulInteger" for node in model.graph.node) == 36
    metadata = {p.key: p.value for p in onnx.load(quantized["calibrated"]).metadata_props}
    assert float(metadata["embedforge.cosine_mean"]) > 0.9995


def test_float_precision_of_a_quantized_file(
    converted: Path, embedder: embedforge.Embedder, quantized: dict[str, Path]
) -> None:
    """precision fp32 takes the file's weights as they are, without rounding the activations."""
    texts = passages()[:30]
    expected = embedder.encode(texts)
    for file in quantized.values():
        vectors = embedforge.Embedder(converted, file=file, precision="fp32").encode(texts)
        assert ((expected * vectors).sum(axis=1)).min() > 0.9985


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

    model = onnx.load(converted / "onnx/model.onnx")
    weight = next(i for i in model.graph.initializer if list(i.dims) == [384, 1536])
    values = onnx.numpy_helper.to_array(weight).copy()
    values[3, 4] = np.nan
    weight.raw_data = values.tobytes()
    onnx.save(model, folder / "onnx/model.onnx")
    done = run("quantize", folder, "-o", out)
    assert done.returncode == 3
    assert weight.name in done.stderr

    done = run("quantize", converted, "-o", "/proc/nowhere/out.onnx")
    assert done.returncode == 3
    done = run("quantize", converted, "-o", converted / "onnx/model.onnx")
    assert done.returncode == 2
    assert run("quantize", converted, "--method", "static").returncode == 4
    assert not out.exists()
