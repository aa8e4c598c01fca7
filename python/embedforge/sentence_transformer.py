"""sentence-transformers' classes on embedforge's engine, for code of which only the import changes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from embedforge.embedder import Embedder
from embedforge.errors import UsageError
from embedforge.reranker import Reranker


class SentenceTransformer(Embedder):
    """An Embedder whose encode() has sentence-transformers' order and defaults.

    Vectors are normalized only where the model's own modules do it, or `normalize_embeddings` asks.
    `device` None and "cpu" are this machine's processor; `truncate_dim`, `prompts` and
    `default_prompt_name` count for every call. Other options are Embedder's.
    """

    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str],
        modules: None = None,
        device: str | None = None,
        prompts: dict[str, str] | None = None,
        default_prompt_name: str | None = None,
        *,
        truncate_dim: int | None = None,
        backend: str = "native",
        **options: Any,
    ) -> None:
        if modules is not None:
            raise UsageError("modules: only model folders and hub ids can be loaded")
        for name in ("trust_remote_code", "model_kwargs", "tokenizer_kwargs", "config_kwargs"):
            if options.pop(name, None):
                raise UsageError(f"{name} is PyTorch's; embedforge runs the model's ONNX file")
        super().__init__(model_name_or_path, device=device or "cpu", backend=backend, **options)
        self._prompts = prompts or {}
        self._default_prompt_name = default_prompt_name
        self.truncate_dim = truncate_dim

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a SentenceTransformer can't be pickled; an Embedder can")

    @property
    def prompts(self) -> dict[str, str]:
        """Those of the model's files, and those given at load."""
        return {**super().prompts, **self._prompts}

    def encode(  # type: ignore[override]
        self,
        sentences: Any,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: str | None = "sentence_embedding",
        precision: str = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: str | None = None,
        normalize_embeddings: bool = False,
        **options: Any,
    ) -> Any:
        """See Embedder.encode."""
        name = prompt_name or (None if options.get("input_type") else self._default_prompt_name)
        if prompt is None and name in self._prompts:
            prompt, name = self._prompts[name], None
        return super().encode(
            sentences,
            batch_size,
            normalize_embeddings or self.info.normalizes,
            prompt_name=name,
            prompt=prompt,
            dimensions=options.pop("truncate_dim", None) or self.truncate_dim,
            precision=precision,
            show_progress_bar=show_progress_bar,
            output_value=output_value,
            convert_to_numpy=convert_to_numpy,
            convert_to_tensor=convert_to_tensor,
            device=device,
            **options,
        )

    def encode_query(  # type: ignore[override]
        self, sentences: Any, **options: Any
    ) -> Any:
        """encode() with the prompt named "query", if there is one and none is given."""
        return self._encode_as("query", sentences, options)

    def encode_document(  # type: ignore[override]
        self, sentences: Any, **options: Any
    ) -> Any:
        """encode() with the prompt named "document", if there is one and none is given."""
        return self._encode_as("document", sentences, options)

    def _encode_as(self, kind: str, sentences: Any, options: dict[str, Any]) -> Any:
        named = options.get("prompt") is not None or options.get("prompt_name")
        if not named and kind in self._prompts:
            options["prompt"] = self._prompts[kind]
        return self.encode(sentences, **options, input_type=kind)


class CrossEncoder(Reranker):
    """A Reranker by sentence-transformers' name."""

    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str],
        num_labels: int | None = None,
        max_length: int | None = None,
        **options: Any,
    ) -> None:
        if num_labels not in (None, 1):
            raise UsageError(f"num_labels={num_labels}: only models of one score are run")
        super().__init__(model_name_or_path, max_length=max_length, **options)

    def predict(self, sentences: Sequence[Any], batch_size: int = 32, **options: Any) -> Any:
        """See Reranker.predict; the batch size changes nothing."""
        for name in ("show_progress_bar", "num_workers", "convert_to_numpy"):
            options.pop(name, None)
        if options:
            raise UsageError(f"{', '.join(options)}: not an option of predict() here")
        return super().predict(sentences)
