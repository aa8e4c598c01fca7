"""What sentence-transformers has in its `util`: scores of vectors, search, and pairs that mean the same."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import numpy.typing as npt

from embedforge.vectors import (
    cos_sim,
    dot_score,
    euclidean_sim,
    manhattan_sim,
    pairwise_cos_sim,
    pairwise_dot_score,
    pairwise_euclidean_sim,
    pairwise_manhattan_sim,
)

__all__ = [
    "cos_sim",
    "dot_score",
    "euclidean_sim",
    "manhattan_sim",
    "normalize_embeddings",
    "pairwise_cos_sim",
    "pairwise_dot_score",
    "pairwise_euclidean_sim",
    "pairwise_manhattan_sim",
    "paraphrase_mining",
    "paraphrase_mining_embeddings",
    "semantic_search",
]


def normalize_embeddings(embeddings: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Each row divided by its length."""
    rows = np.asarray(embeddings, np.float32)
    result: npt.NDArray[np.float32] = rows / np.maximum(
        np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12
    )
    return result


def _best(scores: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.intp]:
    """The columns of the `count` largest of each row, largest first."""
    count = min(count, scores.shape[1])
    top = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)


def semantic_search(
    query_embeddings: npt.ArrayLike,
    corpus_embeddings: npt.ArrayLike,
    query_chunk_size: int = 100,
    corpus_chunk_size: int = 500_000,
    top_k: int = 10,
    score_function: Any = cos_sim,
) -> list[list[dict[str, Any]]]:
    """For each query the `top_k` best rows of the corpus: dicts of corpus_id and score."""
    queries = np.atleast_2d(np.asarray(query_embeddings, np.float32))
    corpus = np.atleast_2d(np.asarray(corpus_embeddings, np.float32))
    found: list[list[tuple[float, int]]] = [[] for _ in queries]
    for q in range(0, len(queries), query_chunk_size):
        for c in range(0, len(corpus), corpus_chunk_size):
            scores = np.asarray(
                score_function(queries[q : q + query_chunk_size], corpus[c : c + corpus_chunk_size])
            )
            for row, columns in enumerate(_best(scores, top_k)):
                found[q + row] += [(float(scores[row, i]), c + int(i)) for i in columns]
    return [
        [{"corpus_id": i, "score": score} for score, i in heapq.nlargest(top_k, each)]
        for each in found
    ]


def paraphrase_mining_embeddings(
    embeddings: npt.ArrayLike,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100_000,
    max_pairs: int = 500_000,
    top_k: int = 100,
    score_function: Any = cos_sim,
) -> list[list[Any]]:
    """Pairs of rows, the nearest first: [score, i, j], each pair once; of each row its `top_k`."""
    rows = np.atleast_2d(np.asarray(embeddings, np.float32))
    best: dict[tuple[int, int], float] = {}
    for q in range(0, len(rows), query_chunk_size):
        for c in range(0, len(rows), corpus_chunk_size):
            scores = np.asarray(
                score_function(rows[q : q + query_chunk_size], rows[c : c + corpus_chunk_size])
            )
            for row, columns in enumerate(_best(scores, top_k + 1)):
                for column in columns:
                    i, j = q + row, c + int(column)
                    if i != j:
                        best[min(i, j), max(i, j)] = float(scores[row, column])
    top = heapq.nlargest(max_pairs, ((score, -i, -j) for (i, j), score in best.items()))
    return [[score, -i, -j] for score, i, j in top]


def paraphrase_mining(
    model: Any,
    sentences: list[str],
    show_progress_bar: bool = False,
    batch_size: int = 32,
    **options: Any,
) -> list[list[Any]]:
    """As paraphrase_mining_embeddings, of texts."""
    vectors = model.encode(sentences, batch_size=batch_size, show_progress_bar=show_progress_bar)
    return paraphrase_mining_embeddings(vectors, **options)
