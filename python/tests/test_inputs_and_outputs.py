"""What encode() takes and gives: Arrow and NumPy strings, integer and binary vectors, threads, the time that Python costs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers.util import quantize_embeddings

import embedforge
from embedforge import quantize_vectors, vector_ranges
from texts import passages, sentences

PRECISIONS = ["int8", "uint8", "binary", "ubinary"]
WORDS = ["one", "zwei", "", "trois à la fois", "a text that is longer than twelve bytes"]


def test_numpy_arrays(embedder: embedforge.Embedder) -> None:
    wanted = embedder.encode(WORDS)
    for array in (
        np.array(WORDS),
        np.array(WORDS, dtype=object),
        np.array(WORDS, np.dtypes.StringDType()),
    ):
        assert (embedder.encode(array) == wanted).all()
    for wrong in (np.zeros(3), np.array([WORDS]), np.array("one")):
        with pytest.raises(TypeError, match="array of strings"):
            embedder.encode(wrong)


def test_arrow_arrays(embedder: embedforge.Embedder) -> None:
    pa = pytest.importorskip("pyarrow")
    wanted = embedder.encode(WORDS)
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        array = pa.array(WORDS, kind)
        assert (embedder.encode(array) == wanted).all(), kind
        assert (embedder.encode(array[1:3]) == wanted[1:3]).all(), kind
        chunks = pa.chunked_array([WORDS[:2], [], WORDS[2:]], kind)
        assert (embedder.encode(chunks, show_progress=True) == wanted).all(), kind
    assert embedder.encode(pa.array([], pa.string())).shape == (0, 384)
    with pytest.raises(TypeError, match=r"text 1 .* null"):
        embedder.encode(pa.array(["one", None]))
    with pytest.raises(TypeError, match="format"):
        embedder.encode(pa.array([1, 2]))


@pytest.mark.parametrize(
    "wrong", [None, 5, 1.5, b"bytes", {"a": 1}, ["fine", None], [5], [b"bytes"], [["nested"]]]
)
def test_what_is_no_text(embedder: embedforge.Embedder, wrong: object) -> None:
    with pytest.raises(TypeError, match="must be a str") as error:
        embedder.encode(wrong)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(
        (type(wrong).__name__, type(wrong[-1]).__name__ if isinstance(wrong, list) else "?")
    )


@pytest.fixture(scope="module")
def sample(embedder: embedforge.Embedder) -> tuple[list[str], np.ndarray]:
    """Texts, as many as ranges want, and their vectors."""
    texts = passages()[:20] + sentences()[:100]
    return texts, embedder.encode(texts)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_quantized_as_sentence_transformers(
    embedder: embedforge.Embedder, sample: tuple[list[str], np.ndarray], precision: str
) -> None:
    texts, vectors = sample
    wanted = quantize_embeddings(vectors, precision)
    found = embedder.encode(texts, precision=precision)
    assert found.dtype == wanted.dtype
    assert np.array_equal(found, wanted)
    ranges = vector_ranges(vectors)
    wanted = quantize_embeddings(vectors[:5] * 1.5, precision, ranges=ranges)
    assert np.array_equal(quantize_vectors(vectors[:5] * 1.5, precision, ranges), wanted)
    one = embedder.encode(texts[0], precision=precision, ranges=ranges)
    assert np.array_equal(one, embedder.encode(texts[:3], precision=precision, ranges=ranges)[0])


def test_few_vectors_are_warned_of(embedder: embedforge.Embedder) -> None:
    with pytest.warns(UserWarning, match="ranges of 2 vectors"):
        embedder.encode(["a", "b"], precision="int8")
    with pytest.raises(embedforge.UsageError, match="precision"):
        embedder.encode("x", precision="int4")
    with pytest.raises(embedforge.UsageError, match="ranges"):
        embedder.encode("x", precision="int8", ranges=np.zeros((2, 3)))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_cli_precision(
    run,
    converted: Path,
    embedder: embedforge.Embedder,
    tmp_path: Path,
    precision: str,  # type: ignore[no-untyped-def]
) -> None:
    texts = sentences()[:120]
    lines = tmp_path / "texts.txt"
    lines.write_text("\n".join(texts))
    out = tmp_path / "out.npy"
    done = run("encode", converted, "--input", lines, "--output", out, "--precision", precision)
    assert done.returncode == 0, done.stderr
    wanted = embedder.encode(texts, precision=precision)
    found = np.load(out)
    assert found.dtype == wanted.dtype
    assert np.array_equal(found, wanted)


def test_tokens(embedder: embedforge.Embedder) -> None:
    from tokenizers import Tokenizer

    reference = Tokenizer.from_file(str(Path(embedder.model_path).parents[1] / "tokenizer.json"))
    reference.no_truncation()
    reference.no_padding()
    text = "  Naïve café tokenization,\t  twice  "
    wanted = reference.encode(text)
    found = embedder.tokenize(text)
    assert found["ids"] == wanted.ids
    assert found["tokens"] == wanted.tokens
    assert found["offsets"] == wanted.offsets
    assert embedder.count_tokens(text) == len(wanted.ids)
    assert embedder.count_tokens([text, "word " * 1000]) == [len(wanted.ids), 1002]
    assert len(embedder.tokenize("word " * 1000)["ids"]) == embedder.max_length


def test_eight_threads_share_an_embedder(embedder: embedforge.Embedder) -> None:
    lists = [passages()[i : i + 4] + sentences()[i : i + 12] for i in range(8)]
    wanted = [embedder.encode(texts) for texts in lists]
    wrong: list[int] = []

    def work(i: int) -> None:
        for _ in range(3):
            if not (embedder.encode(lists[i]) == wanted[i]).all():
                wrong.append(i)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


NONE_OF_THEM = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx", "onnxruntime", "transformers", "sentence_transformers", "tqdm"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
"""
BARE = """
import sys
import embedforge
from embedforge.client import EmbeddingClient
print(embedforge.Embedder(sys.argv[1]).encode(["hello"]).shape)
print(embedforge.ONNXEmbedder(sys.argv[1]).encode("hello", show_progress=True).shape)
print(EmbeddingClient("native", sys.argv[1]).embed("hello").shape)
try:
    EmbeddingClient("torch", sys.argv[1])
except NotImplementedError as error:
    print(error)
"""


def test_without_torch_onnx_and_onnxruntime(converted: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NONE_OF_THEM)  # for the torch worker, too
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(converted)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[:3] == ["(1, 384)", "(384,)", "(384,)"]
    assert "pip install" in lines[3]


def test_import_is_quick() -> None:
    """Under 150 ms, NumPy not counted; the best of several, since others use the machine, too."""
    code = "import time, numpy; t = time.perf_counter(); import embedforge; print(time.perf_counter() - t)"
    times = [
        float(
            subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            ).stdout
        )
        for _ in range(5)
    ]
    assert min(times) < 0.15, times
