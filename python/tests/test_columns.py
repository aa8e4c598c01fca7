"""Columns of texts of several packages, encode_stream, and embedforge.daft."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import embedforge
from embedforge.columns import embed_column, embed_dataset, fixed_size_list

WORDS = ["one", "zwei", "", "trois à la fois", "a text that is longer than twelve bytes"]


def test_arrow_without_a_copy(embedder: embedforge.Embedder) -> None:
    pa = pytest.importorskip("pyarrow")
    vectors = embedder.encode(WORDS)
    column = fixed_size_list(vectors)
    assert column.type == pa.list_(pa.float32(), 384)
    assert column.flatten().buffers()[1].address == vectors.ctypes.data
    for texts in (pa.array(WORDS), pa.chunked_array([WORDS[:2], WORDS[2:]])):
        assert embed_column(embedder, texts).equals(column)
    with pytest.raises(TypeError, match="null"):
        embed_column(embedder, pa.array(["one", None]))
    with pytest.raises(embedforge.UsageError):
        fixed_size_list(vectors[0])


def test_polars(embedder: embedforge.Embedder) -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"text": WORDS})
    column = embed_column(embedder, frame["text"])
    assert column.dtype == pl.Array(pl.Float32, 384)
    assert (frame.with_columns(column)["embedding"].to_numpy() == embedder.encode(WORDS)).all()


def test_pandas(embedder: embedforge.Embedder) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    for kind in ("object", "string[pyarrow]"):
        frame = pd.Series(WORDS, list("abcde"), dtype=kind, name="text").to_frame()
        frame["embedding"] = embed_column(embedder, frame["text"], dimensions=64)
        assert list(frame.index) == list("abcde")
        vectors = np.stack(frame["embedding"].to_list())
        assert (vectors == embedder.encode(WORDS, dimensions=64)).all()


def test_datasets(embedder: embedforge.Embedder) -> None:
    datasets = pytest.importorskip("datasets")
    made = embed_dataset(embedder, datasets.Dataset.from_dict({"text": WORDS}), batch_size=2)
    assert made.features["embedding"].length == 384
    assert (np.array(made["embedding"][:], np.float32) == embedder.encode(WORDS)).all()


def test_streams(embedder: embedforge.Embedder) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        for i in itertools.count():
            taken += 1
            yield f"text {i}"

    first, second = itertools.islice(embedder.encode_stream(endless(), block_size=4), 2)
    assert taken == 8, "no more than a block is held"
    wanted = embedder.encode([f"text {i}" for i in range(8)])
    assert (np.concatenate((first, second)) == wanted).all()
    sizes = [len(rows) for rows in embedder.encode_stream(WORDS, block_size=2, precision="binary")]
    assert sizes == [2, 2, 1]
    assert list(embedder.encode_stream([])) == []
    with pytest.raises(TypeError):
        next(embedder.encode_stream("one text"))


def test_daft(embedder: embedforge.Embedder, converted: Path) -> None:
    daft = pytest.importorskip("daft")
    import embedforge.daft

    embedforge.daft.attach(threads=1)
    column = daft.functions.embed_text(
        daft.col("text"), provider="embedforge", model=str(converted)
    )
    frame = daft.from_pydict({"text": WORDS}).with_column("embedding", column)
    vectors = np.stack(frame.to_pydict()["embedding"])
    assert (vectors == embedder.encode(WORDS)).all()
