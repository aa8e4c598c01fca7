"""Text in, embeddings out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from embedforge import _core
from embedforge.errors import NotSupportedError, UsageError

Vectors = npt.NDArray[np.float32]

_BACKENDS = ("native", "onnxruntime", "torch", "openai", "tei", "ollama")
_DEVICES = ("cpu", "cuda", "tensorrt")
_PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
_PROGRESS_SLICE = 1024  # texts between two updates of the progress line


def _only(name: str, value: object, known: Sequence[str]) -> None:
    """Accept the first of the known values, refuse the others as not supported and the rest as wrong."""
    if value not in known:
        raise UsageError(f"{name}={value!r} is unknown; known are {', '.join(known)}")
    if value != known[0]:
        raise NotSupportedError(f"{name}={value!r} is not in this build; use {name}={known[0]!r}")


class Embedder:
    """A loaded model. Safe to use from several threads.

    `model` is a hub id in the local cache, a folder, or an .onnx file (with `tokenizer`, a folder
    that holds tokenizer.json). `file` names the .onnx file within the folder. `threads`,
    `max_length`, `pooling` ("mean", "cls", "max", "last") and `precision` ("fp32", "bf16",
    "int8") default to what the machine allows and the model says.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        file: str | os.PathLike[str] | None = None,
        tokenizer: str | os.PathLike[str] | None = None,
        backend: str = "native",
        device: str = "cpu",
        device_id: int = 0,
        gpu_mem_limit: int | str | None = None,
        threads: int | None = None,
        max_length: int | None = None,
        pooling: str | None = None,
        precision: str | None = None,
    ) -> None:
        _only("backend", backend, _BACKENDS)
        _only("device", device, _DEVICES)
        if device_id != 0 or gpu_mem_limit is not None:
            raise NotSupportedError("device_id and gpu_mem_limit are for GPUs; this build has none")
        for name, value in (("threads", threads), ("max_length", max_length)):
            if value is not None and value < 1:
                raise UsageError(f"{name}={value!r} must be at least 1")
        self._model = os.fspath(model)
        self._tokenizer_folder = os.fspath(tokenizer) if tokenizer is not None else ""
        self._tokenizer: _core.Tokenizer | None = None
        self._prompts: dict[str, str] | None = None
        self._core = _core.Embedder.load(
            self._model,
            os.fspath(file) if file is not None else "",
            self._tokenizer_folder,
            threads or 0,
            max_length or 0,
            pooling,
            precision,
        )

    @property
    def dimension(self) -> int:
        """Columns of the vectors."""
        return self._core.dimension

    @property
    def max_length(self) -> int:
        """Tokens of a text that count, special ones included; the rest is cut off."""
        return self._core.max_length

    @property
    def threads(self) -> int:
        return self._core.threads

    @property
    def model_path(self) -> str:
        """The .onnx file in use."""
        return self._core.model_path

    @property
    def prompts(self) -> dict[str, str]:
        """Those of config_sentence_transformers.json."""
        if self._prompts is None:
            self._prompts = _core.prompts(self._model)
        return self._prompts

    def encode(
        self,
        texts: str | Iterable[str],
        batch_size: int = 32,
        normalize: bool = True,
        show_progress: bool = False,
        prompt_name: str | None = None,
        prompt: str | None = None,
        dimensions: int | None = None,
        precision: str = "float32",
    ) -> Vectors:
        """Float32 vectors: (n, d) for texts, (d,) for one str. A vector depends on its text alone.

        `prompt`, or the model's prompt of that name, is put before each text. `dimensions` cuts the
        vectors and normalizes them again.
        """
        _only("precision", precision, _PRECISIONS)
        if batch_size < 1:
            raise UsageError(f"batch_size={batch_size!r} must be at least 1")
        if dimensions is not None and not 1 <= dimensions <= self.dimension:
            raise UsageError(f"dimensions={dimensions!r} must be 1 to {self.dimension}")
        single = isinstance(texts, str)
        listed = [texts] if isinstance(texts, str) else list(texts)
        arguments = (batch_size, normalize, prompt_name or "", prompt or "", dimensions or 0)
        if not show_progress:
            vectors = self._core.encode(listed, *arguments)
        else:
            parts = [self._core.encode([], *arguments)]
            for at in range(0, len(listed), _PROGRESS_SLICE):
                parts.append(self._core.encode(listed[at : at + _PROGRESS_SLICE], *arguments))
                done = min(at + _PROGRESS_SLICE, len(listed))
                print(f"\rencoded {done}/{len(listed)}", end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
            vectors = np.concatenate(parts)
        return vectors[0] if single else vectors

    def encode_query(self, texts: str | Iterable[str], **options: Any) -> Vectors:
        """encode() with the prompt named "query", if the model has one and none is given."""
        return self._encode_with(("query",), texts, options)

    def encode_document(self, texts: str | Iterable[str], **options: Any) -> Vectors:
        """encode() with the prompt named "document", "passage" or "corpus", whichever comes first."""
        return self._encode_with(_DOCUMENT_PROMPTS, texts, options)

    def _encode_with(
        self, names: Sequence[str], texts: str | Iterable[str], options: dict[str, Any]
    ) -> Vectors:
        if options.get("prompt") is None and options.get("prompt_name") is None:
            options["prompt_name"] = next((name for name in names if name in self.prompts), None)
        return self.encode(texts, **options)

    @overload
    def tokenize(self, texts: str) -> dict[str, list[Any]]: ...  # type: ignore[overload-overlap]
    @overload
    def tokenize(self, texts: Iterable[str]) -> list[dict[str, list[Any]]]: ...
    def tokenize(
        self, texts: str | Iterable[str]
    ) -> dict[str, list[Any]] | list[dict[str, list[Any]]]:
        """ids, tokens and offsets (in characters) of a text as encode() sees it, cut to max_length."""
        if isinstance(texts, str):
            return self._tokens(texts)
        return [self._tokens(text) for text in texts]

    def _tokens(self, text: str) -> dict[str, list[Any]]:
        if self._tokenizer is None:
            folder = self._tokenizer_folder or _core.tokenizer_folder(self._model)
            self._tokenizer = _core.Tokenizer.load(folder)
        encoding = self._tokenizer.encode(text, self.max_length, True)
        return {"ids": encoding.ids, "tokens": encoding.tokens, "offsets": encoding.offsets}

    def similarity(self, a: npt.ArrayLike, b: npt.ArrayLike) -> Vectors:
        """See embedforge.similarity."""
        return similarity(a, b)


def similarity(a: npt.ArrayLike, b: npt.ArrayLike) -> Vectors:
    """Cosine of each row of `a` to each row of `b`: (n, m). A single vector counts as one row."""
    left, right = (np.atleast_2d(np.asarray(x, dtype=np.float32)) for x in (a, b))
    if left.shape[1] != right.shape[1]:
        raise UsageError(
            f"vectors of {left.shape[1]} and {right.shape[1]} values can't be compared"
        )
    norms = [np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (left, right)]
    result: Vectors = (left / norms[0]) @ (right / norms[1]).T
    return result
