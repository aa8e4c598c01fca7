"""What can be done with vectors without a model."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from embedforge import _core
from embedforge.errors import UsageError

PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")
_FEW = 100  # vectors that ranges are not stable with


Rows = npt.NDArray[np.float32]


def _rows(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Rows, Rows]:
    left, right = (np.atleast_2d(np.asarray(x, dtype=np.float32)) for x in (a, b))
    if left.shape[1] != right.shape[1]:
        raise UsageError(
            f"vectors of {left.shape[1]} and {right.shape[1]} values can't be compared"
        )
    return left, right


def _paired(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Rows, Rows]:
    left, right = _rows(a, b)
    if len(left) != len(right):
        raise UsageError(f"{len(left)} and {len(right)} vectors are no pairs")
    return left, right


def _unit(rows: Rows) -> Rows:
    result: Rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return result


def cos_sim(a: npt.ArrayLike, b: npt.ArrayLike) -> Rows:
    """Cosine of each row of `a` to each row of `b`: (n, m). A single vector counts as one row."""
    left, right = _rows(a, b)
    result: Rows = _unit(left) @ _unit(right).T
    return result


def dot_score(a: npt.ArrayLike, b: npt.ArrayLike) -> Rows:
    """Dot product of each row of `a` with each row of `b`: (n, m)."""
    left, right = _rows(a, b)
    result: Rows = left @ right.T
    return result


def euclidean_sim(a: npt.ArrayLike, b: npt.ArrayLike) -> Rows:
    """Minus the Euclidean distance of each row of `a` to each row of `b`: (n, m)."""
    left, right = _rows(a, b)
    return np.stack([-np.linalg.norm(right - row, axis=1) for row in left])


def manhattan_sim(a: npt.ArrayLike, b: npt.ArrayLike) -> Rows:
    """Minus the Manhattan distance of each row of `a` to each row of `b`: (n, m)."""
    left, right = _rows(a, b)
    return np.stack([-np.abs(right - row).sum(axis=1) for row in left])


def pairwise_cos_sim(a: npt.ArrayLike, b: npt.ArrayLike) -> Rows:
    """Cosine of each row of `a` to the same row of `b`: (n,)."""
    left, right = _paired(a, b)
    result: Rows = (_unit(left) * _unit(right)).sum(axis=1)
    return result


def pairwise_dot_score(a: npt.ArrayLike, b: npt.ArrayLike) -> Rows:
    """Dot product of each row of `a` with the same row of `b`: (n,)."""
    left, right = _paired(a, b)
    result: Rows = (left * right).sum(axis=1)
    return result


def pairwise_euclidean_sim(a: npt.ArrayLike, b: npt.ArrayLike) -> Rows:
    """Minus the Euclidean distance of each row of `a` to the same row of `b`: (n,)."""
    left, right = _paired(a, b)
    result: Rows = -np.linalg.norm(left - right, axis=1)
    return result


def pairwise_manhattan_sim(a: npt.ArrayLike, b: npt.ArrayLike) -> Rows:
    """Minus the Manhattan distance of each row of `a` to the same row of `b`: (n,)."""
    left, right = _paired(a, b)
    result: Rows = -np.abs(left - right).sum(axis=1)
    return result


SIMILARITIES = {
    "cosine": (cos_sim, pairwise_cos_sim),
    "dot": (dot_score, pairwise_dot_score),
    "euclidean": (euclidean_sim, pairwise_euclidean_sim),
    "manhattan": (manhattan_sim, pairwise_manhattan_sim),
}


def similarity(a: npt.ArrayLike, b: npt.ArrayLike) -> Rows:
    """Cosine of each row of `a` to each row of `b`: (n, m). A single vector counts as one row."""
    return cos_sim(a, b)


def vector_ranges(vectors: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """(2, d): the least and the greatest value of each dimension, for quantize_vectors."""
    rows = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    return np.vstack((rows.min(axis=0), rows.max(axis=0)))


def quantize_vectors(
    vectors: npt.ArrayLike, precision: str, ranges: npt.ArrayLike | None = None
) -> npt.NDArray[Any]:
    """As quantize_embeddings of sentence-transformers: int8, uint8, binary (int8) or ubinary (uint8).

    Integers are only comparable with others of the same `ranges` (vector_ranges of a sample of the
    corpus); without them those of `vectors` are taken. Binary ones need none.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"precision={precision!r} is unknown; known are {', '.join(PRECISIONS)}")
    given = np.asarray(vectors, dtype=np.float32)
    rows = np.ascontiguousarray(np.atleast_2d(given))
    if precision == "float32":
        return given
    limits = np.empty((0, 0), np.float32)
    if ranges is not None:
        limits = np.ascontiguousarray(ranges, dtype=np.float32)
        if limits.shape != (2, rows.shape[1]):
            raise UsageError(f"ranges must be (2, {rows.shape[1]}), not {limits.shape}")
    elif precision in ("int8", "uint8") and len(rows) < _FEW:
        warnings.warn(
            f"{precision} ranges of {len(rows)} vectors: give ranges= of a sample, or vectors of two"
            " calls can't be compared",
            UserWarning,
            stacklevel=3,
        )
    result = _core.quantize_vectors(rows, precision, limits)
    return result[0] if given.ndim == 1 else result
