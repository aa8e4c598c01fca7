"""Text in, embeddings out."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from embedforge import _core
from embedforge.errors import UsageError
from embedforge.texts import Texts, as_texts
from embedforge.vectors import PRECISIONS, SIMILARITIES, quantize_vectors

Vectors = npt.NDArray[Any]  # float32, or the integers of a precision

_STREAM_CHARACTERS = 1 << 21  # of a block of encode_stream: half a million tokens
_PROGRESS_SLICE = 1024  # texts between two updates of the progress line
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}


def parse_bytes(name: str, value: int | str) -> int:
    """2147483648, "2GB" or "2GiB"."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]I?)?B?\s*", str(value).upper())
    if not found or float(found[1]) <= 0:
        raise UsageError(f"{name}={value!r} must be a number of bytes, such as 2GB")
    return int(float(found[1]) * _UNITS[found[2] or ""])


def onnxruntime_folder() -> str:
    """Where the package onnxruntime (or -gpu) of this Python keeps its library; not imported for it."""
    found = importlib.util.find_spec("onnxruntime")
    if found is None or not found.submodule_search_locations:
        return ""
    folder = Path(found.submodule_search_locations[0]) / "capi"
    return str(folder) if any(folder.glob("libonnxruntime.so*")) else ""


class Embedder:
    """A loaded model. Safe to use from several threads; with the native engine, also in a process
    forked at any time.

    `model` is a hub id, a folder, an .onnx file (with `tokenizer`, a folder that holds
    tokenizer.json), or a server's name of a model. `file` names the .onnx file within the folder,
    `output_name` its output where several could be the embedding.
    `threads`, `max_length`, `pooling` ("mean", "cls", "max", "last", "mean_sqrt_len",
    "weightedmean") and `compute` (what layers are computed in: "auto", "float32", "bf16", "int8";
    of the native engine) default to what the machine allows and the model says.

    `backend` "onnxruntime" runs the installed ONNX Runtime; `device` ("cpu", "cuda", "tensorrt"),
    `device_id` and `gpu_mem_limit` (bytes, or "2GB") are its, and `onnxruntime` holds further options
    by the names of OnnxRuntimeOptions in embedforge/embedder.h. A provider that can't be had is
    warned of; `providers` lists those in use. "torch" is sentence-transformers; "openai", "tei",
    "ollama", "cohere" and "voyage" are servers, with `base_url`, `api_key`, `timeout` (seconds of a
    request) and `retries` (see embedforge.client). An option that has no meaning for the backend is
    an error. A key of the model's files that isn't known is a RuntimeWarning; with `strict` an error.
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
        compute: str = "auto",
        output_name: str | None = None,
        onnxruntime: Mapping[str, Any] | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 60,
        retries: int = 3,
        strict: bool = False,
        precision: str | None = None,
    ) -> None:
        self._given = {
            key: value for key, value in locals().items() if key not in ("self", "__class__")
        }
        for name, value in (("threads", threads), ("max_length", max_length)):
            if value is not None and value < 1:
                raise UsageError(f"{name}={value!r} must be at least 1")
        if precision is not None:
            warnings.warn("precision is called compute now", DeprecationWarning, stacklevel=2)
            compute = {"fp32": "float32"}.get(precision, precision)
        runtime = dict(onnxruntime or {})
        if backend == "onnxruntime":
            runtime.setdefault("library", onnxruntime_folder())
        self._core, notes = _core.Embedder.load(
            os.fspath(model),
            backend=backend,
            file=None if file is None else os.fspath(file),
            tokenizer=None if tokenizer is None else os.fspath(tokenizer),
            device=device,
            device_id=device_id,
            gpu_mem_limit=gpu_mem_limit and parse_bytes("gpu_mem_limit", gpu_mem_limit),
            threads=threads,
            max_length=max_length,
            pooling=pooling,
            compute=compute,
            output_name=output_name,
            onnxruntime=runtime,
            base_url=base_url,
            api_key=api_key,
            timeout=float(timeout),
            retries=retries,
            python=sys.executable,
            strict=strict,
        )
        for note in notes:
            warnings.warn(note, RuntimeWarning, stacklevel=2)
        self.backend = backend
        self.name = os.fspath(model)
        # What decides about the vectors beyond what info says: another run must have the same.
        self.flags = (
            f"compute={compute} output={output_name} tokenizer={tokenizer} base_url={base_url}"
        )
        self._info = self._core.info()

    @property
    def info(self) -> _core.EmbedderInfo:
        """Paths, providers, pooling, sizes and the graph's inputs and outputs, as far as they are known."""
        return self._info

    @property
    def dimension(self) -> int:
        """Columns of the vectors. A server is asked with a short text once."""
        return self._core.dimension()

    @property
    def max_length(self) -> int:
        """Tokens of a text that count, special ones included; the rest is cut off."""
        return self._info.max_length

    @property
    def threads(self) -> int:
        return self._info.threads

    @property
    def model_path(self) -> str:
        """The .onnx file in use."""
        return self._info.model_path

    @property
    def providers(self) -> list[str]:
        """ONNX Runtime's names of what computes, first choice first."""
        return self._info.providers

    @property
    def prompts(self) -> dict[str, str]:
        """Those of config_sentence_transformers.json."""
        return self._info.prompts

    def encode(
        self,
        texts: Texts,
        batch_size: int | None = 32,
        normalize: bool = True,
        show_progress: bool = False,
        prompt_name: str | None = None,
        prompt: str | None = None,
        dimensions: int | None = None,
        precision: str = "float32",
        ranges: npt.ArrayLike | None = None,
        *,
        input_type: str | None = None,
        show_progress_bar: bool | None = None,
        normalize_embeddings: bool | None = None,
        truncate_dim: int | None = None,
        output_value: str | None = "sentence_embedding",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: str | None = None,
        pool: Any = None,
    ) -> Vectors:
        """Float32 vectors: (n, d) for texts, (d,) for one str. Natively a vector depends on its text alone.

        `texts` is a str, an iterable of str, or a NumPy or Arrow array of strings. `prompt`, or the
        model's prompt of that name, is put before each text. `dimensions` cuts the vectors and
        normalizes them again. `precision` int8, uint8, binary or ubinary quantizes them as
        embedforge.quantize_vectors does, with its `ranges`. `input_type` "query" or "document" is
        what encode_query and encode_document give.

        sentence-transformers' names are taken, too: show_progress_bar, normalize_embeddings and
        truncate_dim for those above; `output_value` "token_embeddings" gives an array (tokens, width)
        a text, None a dict a text; `convert_to_tensor` gives PyTorch's tensors; `device` must be the
        one that the model was loaded for; `pool` is not needed.
        """
        show_progress = show_progress if show_progress_bar is None else show_progress_bar
        normalize = normalize if normalize_embeddings is None else normalize_embeddings
        dimensions = dimensions if truncate_dim is None else truncate_dim
        if device not in (None, "cpu", self._given["device"]):
            raise UsageError(f"device={device!r}: the model was loaded for {self._given['device']}")
        if precision not in PRECISIONS:
            raise UsageError(
                f"precision={precision!r} is unknown; known are {', '.join(PRECISIONS)}"
            )
        for name, value in (("batch_size", batch_size), ("dimensions", dimensions)):
            if value is not None and value < 1:
                raise UsageError(f"{name}={value!r} must be at least 1")
        listed = [texts] if isinstance(texts, str) else as_texts(texts)
        options = {
            "batch_size": batch_size or 0,  # what the backend takes
            "normalize": normalize,
            "prompt_name": prompt_name,
            "prompt": prompt,
            "dimensions": dimensions,
            "input_type": input_type,
        }
        if output_value != "sentence_embedding":
            found = self._encode_tokens(listed, output_value, options)
            return cast(Vectors, found[0] if isinstance(texts, str) else found)
        encode = self._encode_showing if show_progress else self._core.encode
        vectors: Vectors = encode(listed, **options)
        if precision != "float32":
            vectors = quantize_vectors(vectors, precision, ranges)
        result = vectors[0] if isinstance(texts, str) else vectors
        if convert_to_numpy and not convert_to_tensor:
            return result
        import torch

        tensors = torch.from_numpy(np.ascontiguousarray(result))
        whole = convert_to_tensor or isinstance(texts, str)
        return cast(Vectors, tensors if whole else list(tensors))

    def _encode_tokens(
        self, texts: Sequence[str], output_value: str | None, options: dict[str, Any]
    ) -> list[Any]:
        if output_value not in ("token_embeddings", None):
            raise UsageError(
                f"output_value={output_value!r} is unknown; known are sentence_embedding,"
                " token_embeddings, None"
            )
        rows, offsets = self._core.encode_tokens(texts, **options)
        each = [rows[begin:end] for begin, end in itertools.pairwise(offsets)]
        if output_value == "token_embeddings":
            return each
        pooled = self._core.encode(texts, **options)
        return [
            {"token_embeddings": tokens, "sentence_embedding": vector}
            for tokens, vector in zip(each, pooled, strict=True)
        ]

    def _encode_showing(self, texts: Sequence[str], **options: Any) -> Vectors:
        parts = []
        for at in range(0, max(len(texts), 1), _PROGRESS_SLICE):
            parts.append(self._core.encode(texts[at : at + _PROGRESS_SLICE], **options))
            done = min(at + _PROGRESS_SLICE, len(texts))
            print(f"\rencoded {done}/{len(texts)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        return np.concatenate(parts)

    def encode_stream(
        self, texts: Iterable[str], block_size: int = 1024, **options: Any
    ) -> Iterator[Vectors]:
        """The vectors of an iterable of any length, which need not end: an array for each block of texts, in order.

        A block ends at `block_size` texts, or before when they are long; no more than one is held.
        """
        if isinstance(texts, (str, bytes)):
            raise TypeError(f"texts must be an iterable of str, not {type(texts).__name__}")
        block: list[str] = []
        characters = 0
        for text in texts:
            block.append(text)
            characters += len(text) if isinstance(text, str) else 0
            if len(block) >= block_size or characters >= _STREAM_CHARACTERS:
                yield self.encode(block, **options)
                block, characters = [], 0
        if block:
            yield self.encode(block, **options)

    def encode_query(self, texts: Texts, **options: Any) -> Vectors:
        """encode() with the prompt named "query", if the model has one and none is given."""
        return self.encode(texts, **options, input_type="query")

    def encode_document(self, texts: Texts, **options: Any) -> Vectors:
        """encode() with the prompt named "document", "passage" or "corpus", whichever comes first."""
        return self.encode(texts, **options, input_type="document")

    def tokenize(self, texts: Texts) -> Any:
        """ids, tokens and offsets (in characters) as encode() sees them: a dict for one str, else a list."""
        if isinstance(texts, str):
            found = self._core.tokenize(texts)
            return {"ids": found.ids, "tokens": found.tokens, "offsets": found.offsets}
        return [self.tokenize(text) for text in as_texts(texts)]

    def count_tokens(self, texts: Texts) -> Any:
        """Tokens of the whole text, also beyond max_length: an int for one str, else a list."""
        if isinstance(texts, str):
            return self._core.count_tokens(texts)
        return [self._core.count_tokens(text) for text in as_texts(texts)]

    @property
    def similarity_fn_name(self) -> str:
        """What the model was made for: "cosine", "dot", "euclidean" or "manhattan"."""
        return self._info.similarity

    def similarity(self, a: npt.ArrayLike, b: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Each row of `a` with each of `b`, by the model's own function: (n, m)."""
        return SIMILARITIES[self._info.similarity][0](a, b)

    def similarity_pairwise(self, a: npt.ArrayLike, b: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Each row of `a` with the same row of `b`, by the model's own function: (n,)."""
        return SIMILARITIES[self._info.similarity][1](a, b)

    def get_sentence_embedding_dimension(self) -> int:
        """`dimension`, by sentence-transformers' name."""
        return self.dimension

    @property
    def max_seq_length(self) -> int:
        """`max_length`, by sentence-transformers' name."""
        return self.max_length

    def start_multi_process_pool(
        self, target_devices: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """For code written for sentence-transformers: encode() uses all threads without one."""
        return {"processes": list(target_devices or ["cpu"]), "threads": self.threads}

    def stop_multi_process_pool(self, pool: Any = None) -> None:
        """Does nothing; see start_multi_process_pool."""

    async def aencode(self, texts: Texts, **options: Any) -> Vectors:
        """encode() on a thread, for `await`."""
        return await asyncio.to_thread(lambda: self.encode(texts, **options))

    def __reduce__(self) -> tuple[Any, ...]:
        """By model and options: the one that unpickles it loads the files again."""
        return _load_again, (type(self), self._given)

    def __repr__(self) -> str:
        info = self._info
        return (
            f"{type(self).__name__}({self.name!r}: {info.dimension} dimensions, at most"
            f" {info.max_length} tokens, {info.pooling} pooling, {info.backend} {info.compute},"
            f" {info.threads} threads)"
        )


def _load_again(kind: type[Embedder], given: dict[str, Any]) -> Embedder:
    return kind(**given)
