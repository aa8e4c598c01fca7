"""The vectors and token ids are those of sentence-transformers, ONNX Runtime and the tokenizers package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from tokenizers import Tokenizer

import embedforge


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a.astype(np.float64) * b).sum(axis=1) / norms


def runtime_vectors(path: Path, folder: Path, texts: list[str]) -> np.ndarray:
    """ONNX Runtime's last_hidden_state, pooled by a masked mean and normalized, batch by batch."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = {value.name for value in session.get_inputs()}
    by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    pooled = np.zeros((len(texts), 384), np.float32)
    for at in range(0, len(texts), 16):
        batch = by_length[at : at + 16]
        encodings = tokenizer.encode_batch([texts[i] for i in batch])
        feed = {
            "input_ids": np.array([e.ids for e in encodings], np.int64),
            "attention_mask": np.array([e.attention_mask for e in encodings], np.int64),
            "token_type_ids": np.array([e.type_ids for e in encodings], np.int64),
        }
        hidden = session.run(None, {name: feed[name] for name in names})[0]
        mask = feed["attention_mask"][:, :, None]
        pooled[batch] = (hidden * mask).sum(axis=1) / mask.sum(axis=1)
    return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


def test_vectors_are_those_of_sentence_transformers(
    vectors: np.ndarray, texts: list[str], expected: np.ndarray
) -> None:
    assert vectors.dtype == np.float32
    assert vectors.shape == expected.shape
    cosine = cosines(vectors, expected)
    worst = int(cosine.argmin())
    assert cosine[worst] >= 0.99999, (cosine[worst], texts[worst])
    assert np.abs(vectors - expected).max() < 1e-4


def test_token_ids_are_those_of_the_tokenizers_package(
    embedder: embedforge.Embedder, converted: Path, texts: list[str]
) -> None:
    reference = Tokenizer.from_file(str(converted / "tokenizer.json"))
    reference.no_padding()
    reference.enable_truncation(256)
    for text in texts:
        found = embedder.tokenize(text)
        wanted = reference.encode(text)
        assert found["ids"] == wanted.ids, text
        assert found["tokens"] == wanted.tokens, text
        assert found["offsets"] == wanted.offsets, text


def test_the_file_passes_the_checker_and_has_the_checkpoints_size(
    converted: Path, model_folder: Path
) -> None:
    path = converted / "onnx" / "model.onnx"
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(str(path))
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    assert [value.name for value in model.graph.input] == [
        "input_ids",
        "attention_mask",
        "token_type_ids",
    ]
    assert [value.name for value in model.graph.output] == ["last_hidden_state"]
    checkpoint = (model_folder / "model.safetensors").stat().st_size
    assert abs(path.stat().st_size / checkpoint - 1) < 0.01


def test_onnx_runtime_gives_the_same_vectors(
    vectors: np.ndarray, converted: Path, texts: list[str]
) -> None:
    found = runtime_vectors(converted / "onnx" / "model.onnx", converted, texts)
    assert np.abs(found - vectors).max() < 1e-5


@pytest.mark.parametrize("opset", [17, 18, 20])
def test_pooling_in_the_graph(
    tmp_path: Path, texts: list[str], embedder: embedforge.Embedder, opset: int
) -> None:
    """sentence_embedding, run by ONNX Runtime, is what encode() gives; and such a file runs natively, too."""
    result = embedforge.convert(
        "sentence-transformers/all-MiniLM-L6-v2", tmp_path, opset=opset, with_pooling=True
    )
    onnx.checker.check_model(str(result.model), full_check=True)
    sample = texts[::40]
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    encodings = tokenizer.encode_batch(sample)
    session = onnxruntime.InferenceSession(result.model, providers=["CPUExecutionProvider"])
    (vectors,) = session.run(
        ["sentence_embedding"],
        {
            "input_ids": np.array([e.ids for e in encodings], np.int64),
            "attention_mask": np.array([e.attention_mask for e in encodings], np.int64),
            "token_type_ids": np.array([e.type_ids for e in encodings], np.int64),
        },
    )
    assert np.abs(vectors - embedder.encode(sample)).max() < 1e-5
    native = embedforge.Embedder(tmp_path)
    assert np.abs(native.encode(sample) - vectors).max() < 1e-5
