"""An embedding function for Chroma: EmbedforgeEmbeddingFunction("minilm")."""

from __future__ import annotations

from typing import Any

from chromadb.api.types import Documents, EmbeddingFunction, Embeddings
from chromadb.utils.embedding_functions import register_embedding_function

from embedforge.embedder import Embedder


@register_embedding_function
class EmbedforgeEmbeddingFunction(EmbeddingFunction[Documents]):
    """Documents and queries with the model's own prompts.

    `options` are those of Embedder; they and the model's name are kept with the collection.
    """

    def __init__(self, model: str, options: dict[str, Any] | None = None) -> None:
        self.model = model
        self.options = dict(options or {})
        self._embedder = Embedder(model, **self.options)

    def __call__(self, input: Documents) -> Embeddings:
        return list(self._embedder.encode_document(input))

    def embed_query(self, input: Documents) -> Embeddings:
        return list(self._embedder.encode_query(input))

    @staticmethod
    def name() -> str:
        return "embedforge"

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> EmbedforgeEmbeddingFunction:
        return EmbedforgeEmbeddingFunction(config["model"], config["options"])

    def get_config(self) -> dict[str, Any]:
        return {"model": self.model, "options": self.options}

    def default_space(self) -> Any:
        return "cosine"
