"""An Embeddings class for LangChain: EmbedforgeEmbeddings("minilm")."""

from __future__ import annotations

import os
from typing import Any

from langchain_core.embeddings import Embeddings

from embedforge.embedder import Embedder


class EmbedforgeEmbeddings(Embeddings):
    """Queries and documents with the model's own prompts. The options are those of Embedder."""

    def __init__(self, model: str | os.PathLike[str] | Embedder, **options: Any) -> None:
        self.embedder = model if isinstance(model, Embedder) else Embedder(model, **options)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embedder.encode_document(texts).tolist()  # type: ignore[no-any-return]

    def embed_query(self, text: str) -> list[float]:
        return self.embedder.encode_query(text).tolist()  # type: ignore[no-any-return]
