"""A column of texts in, a column of vectors out, in the caller's own kind of table: Arrow, polars, pandas, datasets.

The vectors aren't copied: the new column lies over the array that encode() gave. Each package is imported when
it is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from embedforge.embedder import Embedder
from embedforge.errors import NotSupportedError, UsageError


def fixed_size_list(vectors: npt.NDArray[Any]) -> Any:
    """A pyarrow FixedSizeListArray over the rows of a (n, d) array."""
    try:
        import pyarrow
    except ImportError:
        raise NotSupportedError("a column of vectors needs pyarrow: pip install pyarrow") from None
    rows = np.ascontiguousarray(vectors)
    if rows.ndim != 2:
        raise UsageError(f"vectors must have two dimensions, not {rows.ndim}")
    return pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(rows.reshape(-1)), rows.shape[1])


def embed_column(embedder: Embedder, column: Any, **options: Any) -> Any:
    """The embeddings of a column, as a column of the same package; options as of Embedder.encode.

    pyarrow Array or ChunkedArray: FixedSizeListArray. polars Series: Series of Array(Float32, d). pandas Series:
    Series of ArrowDtype with the same index. A null in it is a TypeError.
    """
    package = type(column).__module__.partition(".")[0]
    if package == "pandas":
        import pandas
        import pyarrow

        texts = column.array if hasattr(column.array, "__arrow_c_array__") else column.tolist()
        vectors = fixed_size_list(embedder.encode(texts, **options))
        array = pandas.arrays.ArrowExtensionArray(pyarrow.chunked_array([vectors]))
        return pandas.Series(array, index=column.index, name="embedding")
    vectors = fixed_size_list(embedder.encode(column, **options))
    if package == "polars":
        import polars

        return polars.Series("embedding", vectors)
    return vectors


def embed_dataset(
    embedder: Embedder,
    dataset: Any,
    column: str = "text",
    output: str = "embedding",
    batch_size: int = 1024,
    **options: Any,
) -> Any:
    """A dataset of the package datasets with a column more; it is kept in that package's cache as map() does."""
    import datasets

    feature = datasets.Sequence(datasets.Value("float32"), length=embedder.dimension)
    return dataset.map(
        lambda batch: {output: embedder.encode(batch[column], **options)},
        batched=True,
        batch_size=batch_size,
        features=datasets.Features({**dataset.features, output: feature}),
        new_fingerprint=None,
    )
