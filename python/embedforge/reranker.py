"""A query and texts in, how well each text answers the query out (a cross-encoder)."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from embedforge import _core
from embedforge.embedder import onnxruntime_folder
from embedforge.errors import UsageError


class Reranker:
    """A loaded cross-encoder with one score a pair. Safe to use from several threads.

    `model` is what Embedder takes. `backend` is "native" or "onnxruntime"; `threads` and `max_length`
    default to what the machine allows and the model says.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        file: str | os.PathLike[str] | None = None,
        tokenizer: str | os.PathLike[str] | None = None,
        backend: str = "native",
        threads: int | None = None,
        max_length: int | None = None,
        compute: str = "auto",
        strict: bool = False,
    ) -> None:
        for name, value in (("threads", threads), ("max_length", max_length)):
            if value is not None and value < 1:
                raise UsageError(f"{name}={value!r} must be at least 1")
        self._core, notes = _core.Reranker.load(
            os.fspath(model),
            backend=backend,
            file=None if file is None else os.fspath(file),
            tokenizer=None if tokenizer is None else os.fspath(tokenizer),
            threads=threads,
            max_length=max_length,
            compute=compute,
            onnxruntime={"library": onnxruntime_folder()} if backend == "onnxruntime" else {},
            python=sys.executable,
            strict=strict,
        )
        for note in notes:
            warnings.warn(note, RuntimeWarning, stacklevel=2)

    def score(
        self, query: str, documents: Sequence[str], raw: bool = False
    ) -> npt.NDArray[np.float32]:
        """One score a document, in their order: the logit's sigmoid, or with `raw` the logit."""
        return np.asarray(self._core.score(query, list(documents), raw), np.float32)

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
    ) -> list[dict[str, Any]]:
        """The documents, best first: dicts of corpus_id, score, and text with `return_documents`."""
        if top_k is not None and top_k < 1:
            raise UsageError(f"top_k={top_k!r} must be at least 1")
        scores = self.score(query, documents)
        best = np.argsort(-scores, kind="stable")[:top_k]
        return [
            {"corpus_id": int(i), "score": scores[i]}
            | ({"text": documents[i]} if return_documents else {})
            for i in best
        ]

    def predict(self, sentences: Sequence[Any]) -> Any:
        """The scores of (query, text) pairs, or the score of one pair."""
        if len(sentences) == 2 and all(isinstance(each, str) for each in sentences):
            return self.score(sentences[0], [sentences[1]])[0]
        by_query: dict[str, list[int]] = {}
        for i, pair in enumerate(sentences):
            if len(pair) != 2 or not all(isinstance(each, str) for each in pair):
                raise UsageError(f"pair {i} must be two texts")
            by_query.setdefault(pair[0], []).append(i)
        out = np.empty(len(sentences), np.float32)
        for query, places in by_query.items():
            out[places] = self.score(query, [sentences[i][1] for i in places])
        return out
