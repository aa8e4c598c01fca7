"""An encoder for mteb's evaluations: mteb.evaluate(EmbedforgeEncoder("minilm"), tasks)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction

from embedforge.embedder import Embedder


class EmbedforgeEncoder(AbsEncoder):
    """Texts with the model's prompt for the task or the prompt type, as mteb chooses it."""

    def __init__(
        self,
        model: str | os.PathLike[str] | Embedder,
        revision: str | None = None,
        *,
        device: str | None = None,
        **options: Any,
    ) -> None:
        if device is not None:
            options["device"] = device
        self.model = model if isinstance(model, Embedder) else Embedder(model, **options)
        self.model_prompts = dict(self.model.prompts) or None
        name = os.fspath(model) if not isinstance(model, Embedder) else model.model_path
        self.mteb_model_meta = _meta(name, revision, self.model)

    def encode(
        self,
        inputs: Any,
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,
        **options: Any,
    ) -> Any:
        texts = [text for batch in inputs for text in batch["text"]]
        if not texts:
            return np.empty((0, self.model.dimension), np.float32)
        return self.model.encode(
            texts,
            batch_size=options.get("batch_size") or 32,
            prompt_name=self.get_prompt_name(task_metadata, prompt_type),
        )


def _meta(name: str, revision: str | None, model: Embedder) -> ModelMeta:
    # mteb wants "owner/name".
    parts = [part for part in name.split("/") if part]
    meta: ModelMeta = ModelMeta.create_empty(
        {
            "name": "/".join((["embedforge", *parts])[-2:]),
            "revision": revision or "local",
            "embed_dim": model.dimension,
            "max_tokens": float(model.max_length),
            "similarity_fn_name": ScoringFunction.COSINE,
            "modalities": ["text"],
        }
    )
    return meta
