"""embedforge in Spark: embed_udf() for a column, embed_arrow() for a frame. What to mind is in docs/scale.md."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow
from pyspark import SparkFiles, TaskContext
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, FloatType, StructType

from embedforge.columns import fixed_size_list
from embedforge.embedder import Embedder
from embedforge.slices import encode_slices

_loaded: dict[str, Embedder] = {}  # of this Python worker, which Spark uses for many tasks


def _embedder(model: str, options: dict[str, Any]) -> Embedder:
    """Loaded once a worker. A folder that came by addArchive("minilm.zip#minilm") goes by that name."""
    key = repr((model, sorted(options.items())))
    if key not in _loaded:
        context = TaskContext.get()
        given = {"threads": max(1, context.cpus() if context else 1), **options}
        sent = Path(SparkFiles.get(model)) if "/" not in model else Path()
        here = Path(model).exists() or not sent.is_dir()
        _loaded[key] = Embedder(model if here else sent, **given)
    return _loaded[key]


def embed_udf(
    model: str | os.PathLike[str],
    *,
    batch_size: int = 1024,
    encode: dict[str, Any] | None = None,
    **options: Any,
) -> Callable[..., Any]:
    """A function of a string column that gives array<float>: df.withColumn("embedding", udf("text")).

    The model is loaded once a Python worker, with spark.task.cpus threads.
    """
    name = os.fspath(model)

    def make() -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
        embedder = _embedder(name, options)
        return lambda texts: embedder.encode(list(texts), **(encode or {}))

    return predict_batch_udf(  # type: ignore[no-any-return]
        make, return_type=ArrayType(FloatType()), batch_size=batch_size
    )


def embed_arrow(
    frame: DataFrame,
    model: str | os.PathLike[str],
    *,
    column: str = "text",
    output: str = "embedding",
    encode: dict[str, Any] | None = None,
    **options: Any,
) -> DataFrame:
    """The frame with a column of embeddings (array<float>) more; texts and vectors pass as Arrow, without pandas."""
    name = os.fspath(model)

    def add(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        embedder = _embedder(name, options)
        kind = pyarrow.list_(pyarrow.float32())
        for batch in batches:
            vectors = encode_slices(embedder, batch.column(column), **(encode or {}))
            lists = fixed_size_list(vectors.astype(np.float32, copy=False)).cast(kind)
            yield pyarrow.RecordBatch.from_arrays(
                [*batch.columns, lists], names=[*batch.schema.names, output]
            )

    schema = StructType([*frame.schema.fields]).add(output, ArrayType(FloatType()))
    return frame.mapInArrow(add, schema)
