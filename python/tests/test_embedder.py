"""What encode() promises: shapes, independence of the batch, bounded memory, options, errors."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import embedforge
from texts import passages

MEMORY = """
import resource, sys, embedforge
embedder = embedforge.Embedder(sys.argv[1])
texts = [str(i) for i in range(int(sys.argv[2]))]
vectors = embedder.encode(texts)
print(vectors.shape[0], vectors.nbytes, sum(map(sys.getsizeof, texts)),
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_one_text_gives_one_dimension(embedder: embedforge.Embedder) -> None:
    vector = embedder.encode("hello world")
    assert vector.shape == (384,) == (embedder.dimension,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert (vector == embedder.encode(["hello world"])[0]).all()


def test_an_empty_list_gives_no_rows(embedder: embedforge.Embedder) -> None:
    vectors = embedder.encode([])
    assert vectors.shape == (0, 384)
    assert vectors.dtype == np.float32
    assert embedder.encode([], show_progress=True).shape == (0, 384)


def test_a_vector_does_not_depend_on_its_batch(
    embedder: embedforge.Embedder, texts: list[str]
) -> None:
    batch = passages()[:64]
    together = embedder.encode(batch, batch_size=64)
    for text, row in zip(batch, together, strict=True):
        assert (embedder.encode([text], batch_size=1)[0] == row).all()
    assert (embedder.encode(batch[::-1], batch_size=7)[::-1] == together).all()


def test_a_vector_does_not_depend_on_the_number_of_threads(
    converted: Path, embedder: embedforge.Embedder
) -> None:
    batch = passages()[:24]
    vectors = embedder.encode(batch)
    for threads in (1, 2, 3):
        other = embedforge.Embedder(converted, threads=threads)
        assert other.threads == threads
        assert (other.encode(batch) == vectors).all()


def test_several_threads_may_encode_at_once(embedder: embedforge.Embedder) -> None:
    batch = passages()[:32]
    vectors = embedder.encode(batch)
    found: list[np.ndarray | None] = [None] * 4

    def work(i: int) -> None:
        found[i] = embedder.encode(batch)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(len(found))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for other in found:
        assert other is not None
        assert (other == vectors).all()


def test_a_forked_process_encodes_whatever_its_parent_was_doing(
    embedder: embedforge.Embedder,
) -> None:
    """A web server or a data loader forks after it has loaded the model, with threads in the middle of a call."""
    batch = passages()[:8]
    vectors = embedder.encode(batch)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            embedder.encode(batch)

    def child() -> None:
        for _ in range(3):
            assert (embedder.encode(batch) == vectors).all()
            time.sleep(0.01)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(10):
            process = multiprocessing.get_context("fork").Process(target=child)
            process.start()
            process.join(timeout=60)
            if process.exitcode is None:
                process.kill()
                pytest.fail("the forked process hangs")
            assert process.exitcode == 0
    finally:
        stop.set()
        worker.join()


def test_memory_does_not_grow_with_the_list(converted: Path) -> None:
    """Peak memory of 12,000 short texts stays within 12 MB of that of 1,000, the texts and vectors themselves set aside."""
    peaks = {}
    for count in (1_000, 12_000):
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(converted), str(count)],
            capture_output=True,
            text=True,
            check=True,
        )
        rows, vector_bytes, text_bytes, peak = map(int, done.stdout.split())
        assert rows == count
        peaks[count] = peak - vector_bytes - text_bytes
    assert peaks[12_000] - peaks[1_000] < 12e6, peaks


def test_dimensions_are_cut_and_normalized_again(embedder: embedforge.Embedder) -> None:
    full = embedder.encode(["hello world", "something else"], normalize=False)
    cut = embedder.encode(["hello world", "something else"], dimensions=64)
    wanted = full[:, :64] / np.linalg.norm(full[:, :64], axis=1, keepdims=True)
    assert np.abs(cut - wanted).max() < 1e-6
    for dimensions in (0, 385):
        with pytest.raises(embedforge.UsageError):
            embedder.encode(["x"], dimensions=dimensions)


def test_pooling_and_length_options(converted: Path, model_folder: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    sample = passages()[:6]
    for mode in ("cls", "max", "mean"):
        transformer = Transformer(str(model_folder), max_seq_length=32)
        reference = SentenceTransformer(
            modules=[transformer, Pooling(384, pooling_mode=mode)], device="cpu"
        )
        wanted = reference.encode(sample, normalize_embeddings=True, show_progress_bar=False)
        found = embedforge.Embedder(converted, pooling=mode, max_length=32).encode(sample)
        assert np.abs(found - wanted).max() < 1e-5, mode


def test_prompts(converted: Path, tmp_path: Path) -> None:
    import json
    import shutil

    folder = Path(shutil.copytree(converted, tmp_path / "model"))
    settings = folder / "config_sentence_transformers.json"
    settings.write_text(json.dumps({"prompts": {"query": "query: ", "passage": "passage: "}}))
    embedder = embedforge.Embedder(folder)
    plain = embedder.encode(["query: hello", "passage: hello"])
    assert (embedder.encode("hello", prompt_name="query") == plain[0]).all()
    assert (embedder.encode("hello", prompt="query: ") == plain[0]).all()
    assert (embedder.encode_query("hello") == plain[0]).all()
    assert (embedder.encode_document("hello") == plain[1]).all()
    with pytest.raises(embedforge.UsageError, match="nothing"):
        embedder.encode("hello", prompt_name="nothing")

    settings.write_text(
        json.dumps({"prompts": {"query": "query: "}, "default_prompt_name": "query"})
    )
    embedder = embedforge.Embedder(folder)
    bare = embedder.encode("hello", prompt="")
    assert (embedder.encode("hello") == plain[0]).all()
    assert (bare != plain[0]).any(), "an empty prompt switches the default one off"
    assert (embedder.encode_document("hello") == bare).all(), "the default one is for queries"


def test_similarity(embedder: embedforge.Embedder) -> None:
    a, b, c = embedder.encode(
        ["A man plays a guitar.", "Somebody is making music.", "Interest rates rose."]
    )
    scores = embedforge.similarity(a, [b, c])
    assert scores.shape == (1, 2)
    assert scores[0, 0] > scores[0, 1]
    assert scores[0, 0] == pytest.approx(float(a @ b), abs=1e-6)
    with pytest.raises(embedforge.UsageError):
        embedforge.similarity([[1.0, 2.0]], [[1.0]])


def test_what_is_not_there_says_so(converted: Path) -> None:
    with pytest.raises(NotImplementedError, match="onnxruntime"):
        embedforge.Embedder(converted, device="cuda")
    with pytest.raises(NotImplementedError, match="onnxruntime"):
        embedforge.Embedder(converted, gpu_mem_limit="2GB")
    for wrong in ({"backend": "abacus"}, {"threads": 0}, {"pooling": "median"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            embedforge.Embedder(converted, **wrong)


def test_texts_must_be_text(embedder: embedforge.Embedder) -> None:
    with pytest.raises(TypeError, match="text 1"):
        embedder.encode(["fine", 5])  # type: ignore[list-item]
    with pytest.raises(UnicodeEncodeError):
        embedder.encode(["lone \ud800 surrogate"])


def test_takes_any_iterable(embedder: embedforge.Embedder) -> None:
    words = ("one", "two")
    assert (embedder.encode(iter(words)) == embedder.encode(list(words))).all()
