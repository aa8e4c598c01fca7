"""Text in, embeddings out."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embedforge import _core
from embedforge.errors import NotSupportedError, UsageError
from embedforge.texts import Texts, as_texts
from embedforge.vectors import PRECISIONS, quantize_vectors, similarity

Vectors = npt.NDArray[Any]  # float32, or the integers of a precision

_LOCAL = ("native", "onnxruntime")
_ELSEWHERE = ("torch", "openai", "tei", "ollama", "cohere", "voyage")
_DEVICES = ("cpu", "cuda", "tensorrt")
_QUERY_PROMPTS = ("query",)
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
_PROGRESS_SLICE = 1024  # texts between two updates of the progress line
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}


def _check(name: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise UsageError(f"{name}={value!r} is unknown; known are {', '.join(known)}")


def parse_bytes(name: str, value: int | str) -> int:
    """2147483648, "2GB" or "2GiB"."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]I?)?B?\s*", str(value).upper())
    if not found or float(found[1]) <= 0:
        raise UsageError(f"{name}={value!r} must be a number of bytes, such as 2GB")
    return int(float(found[1]) * _UNITS[found[2] or ""])


def _onnxruntime_folder() -> str:
    """Where the package onnxruntime (or -gpu) of this Python keeps its library; not imported for it."""
    found = importlib.util.find_spec("onnxruntime")
    if found is None or not found.submodule_search_locations:
        return ""
    folder = Path(found.submodule_search_locations[0]) / "capi"
    return str(folder) if any(folder.glob("libonnxruntime.so*")) else ""


class Embedder:
    """A loaded model. Safe to use from several threads; with the native engine, also in a process
    forked at any time.

    `model` is a hub id in the local cache, a folder, or an .onnx file (with `tokenizer`, a folder
    that holds tokenizer.json). `file` names the .onnx file within the folder. `threads`,
    `max_length`, `pooling` ("mean", "cls", "max", "last", "mean_sqrt_len", "weightedmean") and
    `precision` ("fp32", "bf16", "int8"; of the native engine) default to what the machine allows
    and the model says.

    `backend` "onnxruntime" runs the installed ONNX Runtime; `device` ("cpu", "cuda", "tensorrt"),
    `device_id` and `gpu_mem_limit` (bytes, or "2GB") are its, and `onnxruntime` holds further options
    by the names of OnnxRuntimeOptions in embedforge/embedder.h. A provider that can't be had is
    warned of; `providers` lists those in use. "torch" is sentence-transformers; "openai", "tei",
    "ollama", "cohere" and "voyage" are servers (see embedforge.client).
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
        onnxruntime: Mapping[str, Any] | None = None,
    ) -> None:
        _check("backend", backend, _LOCAL + _ELSEWHERE)
        _check("device", device, _DEVICES)
        for name, value in (("threads", threads), ("max_length", max_length)):
            if value is not None and value < 1:
                raise UsageError(f"{name}={value!r} must be at least 1")
        self.backend = backend
        self._prompts: dict[str, str] = {}
        self._dimension = 0
        if backend not in _LOCAL:
            local = {
                "file": file,
                "tokenizer": tokenizer,
                "threads": threads,
                "pooling": pooling,
                "precision": precision,
                "gpu_mem_limit": gpu_mem_limit,
                "onnxruntime": onnxruntime,
            }
            for name, given in local.items():
                if given is not None:
                    raise UsageError(f"{name} has no meaning for backend={backend!r}")
            self._open_client(os.fspath(model), device, max_length)
            return
        if backend == "native" and (device_id != 0 or gpu_mem_limit is not None):
            raise NotSupportedError(
                'device_id and gpu_mem_limit are for GPUs, which backend="onnxruntime" uses'
            )
        options: dict[str, Any] = {"device_id": device_id, **(onnxruntime or {})}
        if gpu_mem_limit is not None:
            options["gpu_mem_limit"] = parse_bytes("gpu_mem_limit", gpu_mem_limit)
        if backend == "onnxruntime" and "library" not in options:
            options["library"] = _onnxruntime_folder()
        core, notes = _core.Embedder.load(
            os.fspath(model),
            os.fspath(file) if file is not None else "",
            os.fspath(tokenizer) if tokenizer is not None else "",
            backend,
            device,
            threads or 0,
            max_length or 0,
            pooling,
            precision,
            options,
        )
        for note in notes:
            warnings.warn(note, RuntimeWarning, stacklevel=2)
        self._core = core
        self._embed: Callable[..., npt.NDArray[np.float32]] = core.encode
        self._info = core.info()
        self._prompts = dict(self._info.prompts)
        self._dimension = self._info.dimension

    def _open_client(self, model: str, device: str, max_length: int | None) -> None:
        from embedforge.client import open_raw

        self._embed, self._prompts, self._dimension = open_raw(
            self.backend, model, device=device, max_length=max_length
        )

    @property
    def info(self) -> _core.EmbedderInfo:
        """Paths, providers, pooling, sizes and the graph's inputs and outputs."""
        if self.backend not in _LOCAL:
            raise NotSupportedError(f"backend={self.backend!r} doesn't tell what it runs")
        return self._info

    @property
    def dimension(self) -> int:
        """Columns of the vectors. A server is asked with a short text once."""
        if self._dimension == 0:
            self._dimension = self.encode(["dimension"]).shape[1]
        return self._dimension

    @property
    def max_length(self) -> int:
        """Tokens of a text that count, special ones included; the rest is cut off."""
        return self.info.max_length

    @property
    def threads(self) -> int:
        return self.info.threads

    @property
    def model_path(self) -> str:
        """The .onnx file in use."""
        return self.info.model_path

    @property
    def providers(self) -> list[str]:
        """ONNX Runtime's names of what computes, first choice first."""
        return self.info.providers

    @property
    def prompts(self) -> dict[str, str]:
        """Those of config_sentence_transformers.json."""
        return self._prompts

    def encode(
        self,
        texts: Texts,
        batch_size: int = 32,
        normalize: bool = True,
        show_progress: bool = False,
        prompt_name: str | None = None,
        prompt: str | None = None,
        dimensions: int | None = None,
        precision: str = "float32",
        ranges: npt.ArrayLike | None = None,
    ) -> Vectors:
        """Float32 vectors: (n, d) for texts, (d,) for one str. Natively a vector depends on its text alone.

        `texts` is a str, an iterable of str, or a NumPy or Arrow array of strings. `prompt`, or the
        model's prompt of that name, is put before each text. `dimensions` cuts the vectors and
        normalizes them again. `precision` int8, uint8, binary or ubinary quantizes them as
        embedforge.quantize_vectors does, with its `ranges`.
        """
        _check("precision", precision, PRECISIONS)
        if batch_size < 1:
            raise UsageError(f"batch_size={batch_size!r} must be at least 1")
        if dimensions is not None and not 1 <= dimensions <= self.dimension:
            raise UsageError(f"dimensions={dimensions!r} must be 1 to {self.dimension}")
        single = isinstance(texts, str)
        listed = [texts] if isinstance(texts, str) else as_texts(texts)
        arguments = (batch_size, normalize, prompt_name or "", prompt or "", dimensions or 0)
        if not show_progress:
            vectors = self._embed(listed, *arguments)
        else:
            vectors = self._embed_showing(listed, arguments)
        if precision != "float32":
            vectors = quantize_vectors(vectors, precision, ranges)
        return vectors[0] if single else vectors

    def _embed_showing(self, texts: Sequence[str], arguments: tuple[Any, ...]) -> Vectors:
        parts = []
        for at in range(0, max(len(texts), 1), _PROGRESS_SLICE):
            parts.append(self._embed(texts[at : at + _PROGRESS_SLICE], *arguments))
            done = min(at + _PROGRESS_SLICE, len(texts))
            print(f"\rencoded {done}/{len(texts)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        return np.concatenate(parts)

    def encode_query(self, texts: Texts, **options: Any) -> Vectors:
        """encode() with the prompt named "query", if the model has one and none is given."""
        return self._encode_with(_QUERY_PROMPTS, texts, options)

    def encode_document(self, texts: Texts, **options: Any) -> Vectors:
        """encode() with the prompt named "document", "passage" or "corpus", whichever comes first."""
        return self._encode_with(_DOCUMENT_PROMPTS, texts, options)

    def _encode_with(self, names: Sequence[str], texts: Texts, options: dict[str, Any]) -> Vectors:
        if options.get("prompt") is None and options.get("prompt_name") is None:
            options["prompt_name"] = next((name for name in names if name in self.prompts), None)
        return self.encode(texts, **options)

    def tokenize(self, texts: Texts) -> Any:
        """ids, tokens and offsets (in characters) as encode() sees them: a dict for one str, else a list."""
        if isinstance(texts, str):
            return self._tokens(texts)
        return [self._tokens(text) for text in as_texts(texts)]

    def _tokens(self, text: str) -> dict[str, list[Any]]:
        found = self._local().tokenize(text)
        return {"ids": found.ids, "tokens": found.tokens, "offsets": found.offsets}

    def count_tokens(self, texts: Texts) -> Any:
        """Tokens of the whole text, also beyond max_length: an int for one str, else a list."""
        if isinstance(texts, str):
            return self._local().count_tokens(texts)
        return [self._local().count_tokens(text) for text in as_texts(texts)]

    def _local(self) -> _core.Embedder:
        if self.backend not in _LOCAL:
            raise NotSupportedError(f"backend={self.backend!r} keeps its tokenizer to itself")
        return self._core

    def similarity(self, a: npt.ArrayLike, b: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """See embedforge.similarity."""
        return similarity(a, b)
