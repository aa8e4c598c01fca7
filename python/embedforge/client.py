"""One client for every provider of embeddings: models on this machine and servers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embedforge import _core
from embedforge.embedder import Embedder
from embedforge.errors import UsageError
from embedforge.texts import Texts, as_texts

REMOTE = ("openai", "tei", "ollama", "cohere", "voyage")
PROVIDERS = ("native", "onnxruntime", "torch", *REMOTE)

_Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Usage:
    """Of all calls of a client together."""

    requests: int
    texts: int
    tokens: int  # as the provider counts them


class _Remote:
    def __init__(
        self,
        provider: str,
        model: str,
        base_url: str = "",
        api_key: str = "",
        timeout: float = 60,
        retries: int = 3,
    ) -> None:
        self._core = _core.Client.open(provider, model, base_url, api_key, timeout, retries)

    def embed(
        self,
        texts: Sequence[str],
        normalize: bool,
        dimensions: int,
        batch_size: int,
        input_type: str,
        prompt_name: str,
        prompt: str,
    ) -> _Vectors:
        return self._core.embed(
            texts, normalize, dimensions, batch_size, input_type, prompt_name, prompt
        )

    def usage(self) -> Usage:
        return Usage(*self._core.usage())


class _Torch:
    def __init__(self, model: str, device: str = "cpu", max_length: int | None = None) -> None:
        from embedforge.torch_backend import TorchModel

        self.model = TorchModel(model, device, max_length)
        self._lock = threading.Lock()
        self._calls = self._texts = 0

    def embed(
        self,
        texts: Sequence[str],
        normalize: bool,
        dimensions: int,
        batch_size: int,
        input_type: str,
        prompt_name: str,
        prompt: str,
    ) -> _Vectors:
        listed = list(texts)
        for i, text in enumerate(listed):
            if not isinstance(text, str):
                raise TypeError(f"text {i} must be a str, not {type(text).__name__}")
        with self._lock:
            raw = self.model.embed(
                listed, batch_size or 32, prompt or None, prompt_name or None, input_type
            )
            self._calls += 1
            self._texts += len(listed)
        return _core.cut_vectors(raw, dimensions, normalize)

    def usage(self) -> Usage:
        return Usage(self._calls, self._texts, self.model.tokens)


class _Local:
    def __init__(self, provider: str, model: str, **options: Any) -> None:
        self._embedder = Embedder(model, backend=provider, **options)
        self._lock = threading.Lock()
        self._calls = self._texts = self._tokens = 0

    def embed(
        self,
        texts: Sequence[str],
        normalize: bool,
        dimensions: int,
        batch_size: int,
        input_type: str,
        prompt_name: str,
        prompt: str,
    ) -> _Vectors:
        encode = (
            self._embedder.encode_query if input_type == "query" else self._embedder.encode_document
        )
        vectors = encode(
            texts,
            batch_size=batch_size or 32,
            normalize=normalize,
            dimensions=dimensions or None,
            prompt_name=prompt_name or None,
            prompt=prompt or None,
        )
        with self._lock:
            self._calls += 1
            self._texts += len(texts)
        return vectors

    def usage(self) -> Usage:
        return Usage(self._calls, self._texts, self._embedder._local().tokens_used)


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
        if provider not in PROVIDERS:
            raise UsageError(f"provider={provider!r} is unknown; known are {', '.join(PROVIDERS)}")
        self.provider = provider
        self.model = os.fspath(model)
        if provider not in REMOTE and (base_url is not None or api_key is not None):
            raise UsageError(f"base_url and api_key have no meaning for provider={provider!r}")
        if provider in REMOTE:
            if options:
                raise UsageError(f"{', '.join(options)}: no meaning for provider={provider!r}")
            self._backend: _Remote | _Torch | _Local = _Remote(
                provider, self.model, base_url or "", api_key or "", timeout, retries
            )
        elif provider == "torch":
            self._backend = _Torch(self.model, **options)
        else:
            self._backend = _Local(provider, self.model, **options)

    def embed(
        self,
        texts: Texts,
        input_type: str = "document",
        normalize: bool = True,
        dimensions: int | None = None,
        batch_size: int | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> _Vectors:
        """Float32 vectors in the texts' order: (n, d), or (d,) for one str.

        `input_type` is "document" or "query", for providers and models that tell them apart.
        `dimensions` cuts the vectors and normalizes them again.
        """
        if input_type not in ("document", "query"):
            raise UsageError(f"input_type={input_type!r} is unknown; known are document, query")
        if dimensions is not None and dimensions < 1:
            raise UsageError(f"dimensions={dimensions!r} must be at least 1")
        single = isinstance(texts, str)
        listed = [texts] if isinstance(texts, str) else as_texts(texts)
        vectors = self._backend.embed(
            listed,
            normalize,
            dimensions or 0,
            batch_size or 0,
            input_type,
            prompt_name or "",
            prompt or "",
        )
        return vectors[0] if single else vectors

    @property
    def usage(self) -> Usage:
        """Requests, texts and tokens so far."""
        return self._backend.usage()


def open_raw(
    backend: str, model: str, device: str, max_length: int | None
) -> tuple[Callable[..., _Vectors], dict[str, str], int]:
    """For Embedder: its encode call, the prompts and the dimension (0: not known yet)."""
    client: _Remote | _Torch
    prompts: dict[str, str] = {}
    dimension = 0
    if backend == "torch":
        client = _Torch(model, "cuda" if device == "tensorrt" else device, max_length)
        prompts, dimension = client.model.prompts, client.model.dimension
    else:
        if device != "cpu" or max_length is not None:
            raise UsageError(f"device and max_length have no meaning for backend={backend!r}")
        client = _Remote(backend, model)
        if backend != "tei":  # these names stand for the input type; tei keeps prompts of its own
            prompts = {"query": "", "document": ""}

    def embed(
        texts: Sequence[str],
        batch_size: int,
        normalize: bool,
        prompt_name: str,
        prompt: str,
        dimensions: int,
    ) -> _Vectors:
        return client.embed(
            texts, normalize, dimensions, batch_size, "document", prompt_name, prompt
        )

    return embed, prompts, dimension
