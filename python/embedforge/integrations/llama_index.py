"""An embedding class for LlamaIndex: EmbedforgeEmbedding(model_name="minilm")."""

from __future__ import annotations

import asyncio
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import PrivateAttr

from embedforge.embedder import Embedder


class EmbedforgeEmbedding(BaseEmbedding):
    """Queries and texts with the model's own prompts. `options` are those of Embedder."""

    _embedder: Embedder = PrivateAttr()

    def __init__(
        self, model_name: str, options: dict[str, Any] | None = None, **fields: Any
    ) -> None:
        super().__init__(model_name=model_name, **fields)
        self._embedder = Embedder(model_name, **(options or {}))

    @classmethod
    def class_name(cls) -> str:
        return "EmbedforgeEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._embedder.encode_query(query).tolist()  # type: ignore[no-any-return]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._embedder.encode_document(text).tolist()  # type: ignore[no-any-return]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._embedder.encode_document(texts).tolist()  # type: ignore[no-any-return]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)
