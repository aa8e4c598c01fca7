"""One client for every provider of embeddings: models on this machine and servers."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedforge.embedder import Embedder
from embedforge.errors import UsageError
from embedforge.texts import Texts


class Usage(NamedTuple):
    """Of all calls of a client together."""

    requests: int
    texts: int
    tokens: int  # as the provider counts them


class EmbeddingClient:
    """Vectors from any provider by one call. Safe to use from several threads.

    `provider` is native, onnxruntime, torch (sentence-transformers), openai (and whatever speaks its
    protocol), tei, ollama, cohere or voyage. `base_url` and `api_key` default to the provider's
    environment variables (OPENAI_BASE_URL, OPENAI_API_KEY, TEI_BASE_URL, TEI_API_KEY, OLLAMA_HOST,
    COHERE_API_KEY, VOYAGE_API_KEY). `timeout` is for one request, in seconds; `retries` are made after
    429, 502, 503, 504 and broken connections, nothing else. Other options are those of Embedder.
    """

    def __init__(
        self,
        provider: str = "native",
        model: str | os.PathLike[str] = "",
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 60,
        retries: int = 3,
        **options: Any,
    ) -> None:
        self.provider = provider
        self.model = os.fspath(model)
        self._embedder = Embedder(
            self.model,
            backend=provider,
            base_url=base_url,
            api_key=api_key,
            timeout=timeout,
            retries=retries,
            **options,
        )

    def embed(
        self,
        texts: Texts,
        input_type: str = "document",
        normalize: bool = True,
        dimensions: int | None = None,
        batch_size: int | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> npt.NDArray[np.float32]:
        """Float32 vectors in the texts' order: (n, d), or (d,) for one str.

        `input_type` is "document" or "query", for providers and models that tell them apart.
        `dimensions` cuts the vectors and normalizes them again. `batch_size`: texts a request; by
        default what the provider takes.
        """
        if input_type not in ("document", "query"):
            raise UsageError(f"input_type={input_type!r} is unknown; known are document, query")
        return self._embedder.encode(
            texts,
            batch_size=batch_size,
            normalize=normalize,
            dimensions=dimensions,
            prompt_name=prompt_name,
            prompt=prompt,
            input_type=input_type,
        )

    @property
    def usage(self) -> Usage:
        """Requests, texts and tokens so far."""
        return Usage(*self._embedder._core.usage())
