"""embedforge in Daft: attach(), then daft.functions.embed_text(column, provider="embedforge", model="minilm")."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import daft
from daft import DataType
from daft.ai.protocols import TextEmbedder, TextEmbedderDescriptor
from daft.ai.provider import Provider
from daft.ai.typing import EmbeddingDimensions, Options, UDFOptions

from embedforge.embedder import Embedder
from embedforge.slices import encode_slices


class DaftEmbedder(TextEmbedder):
    def __init__(self, model: str, dimensions: int | None, options: dict[str, Any]) -> None:
        self.embedder = Embedder(model, **options)
        self.dimensions = dimensions

    def embed_text(self, text: list[str]) -> list[Any]:
        return list(encode_slices(self.embedder, text, dimensions=self.dimensions))


@dataclass
class DaftDescriptor(TextEmbedderDescriptor):
    """What a worker makes an embedder of."""

    model: str
    dimensions: int | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def get_provider(self) -> str:
        return "embedforge"

    def get_model(self) -> str:
        return self.model

    def get_options(self) -> Options:
        return self.options

    def get_dimensions(self) -> EmbeddingDimensions:
        size = self.dimensions or Embedder(self.model, **self.options).dimension
        return EmbeddingDimensions(size=size, dtype=DataType.float32())

    def get_udf_options(self) -> UDFOptions:
        return UDFOptions(concurrency=1, num_gpus=0)

    def is_async(self) -> bool:
        return False

    def instantiate(self) -> TextEmbedder:
        return DaftEmbedder(self.model, self.dimensions, self.options)


class EmbedforgeProvider(Provider):
    """`options`: those of Embedder, such as threads."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    @property
    def name(self) -> str:
        return "embedforge"

    def get_text_embedder(
        self, model: str | None = None, dimensions: int | None = None, **options: Any
    ) -> TextEmbedderDescriptor:
        return DaftDescriptor(
            model or "sentence-transformers/all-MiniLM-L6-v2",
            dimensions,
            {**self.options, **options},
        )


def attach(**options: Any) -> None:
    """Makes the provider known to Daft under its name."""
    daft.attach_provider(EmbedforgeProvider(**options), "embedforge")
