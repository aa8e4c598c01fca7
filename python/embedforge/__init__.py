"""Text embeddings on a CPU: convert a checkpoint to ONNX, and turn texts into vectors."""

from typing import Any

from embedforge import util
from embedforge._core import __version__
from embedforge.embedder import Embedder
from embedforge.errors import (
    BadInputError,
    EmbedforgeError,
    NotSupportedError,
    RemoteError,
    UsageError,
)
from embedforge.files import EmbedFileResult, embed_file
from embedforge.model import (
    ConvertResult,
    OptimizeResult,
    PassReport,
    QuantizeResult,
    convert,
    optimize,
)
from embedforge.onnx_embedder import ONNXEmbedder
from embedforge.quantization import quantize
from embedforge.reranker import Reranker
from embedforge.sentence_transformer import CrossEncoder, SentenceTransformer
from embedforge.vectors import quantize_vectors, similarity, vector_ranges

__all__ = [
    "BadInputError",
    "ConvertResult",
    "CrossEncoder",
    "EmbedFileResult",
    "Embedder",
    "EmbedforgeError",
    "NotSupportedError",
    "ONNXEmbedder",
    "OptimizeResult",
    "PassReport",
    "QuantizeResult",
    "RemoteError",
    "Reranker",
    "SentenceTransformer",
    "UsageError",
    "__version__",
    "convert",
    "embed_file",
    "optimize",
    "qat",
    "quantize",
    "quantize_vectors",
    "similarity",
    "util",
    "vector_ranges",
]


def __getattr__(name: str) -> Any:
    """qat() is imported when it is used, since it needs PyTorch."""
    if name != "qat":
        raise AttributeError(f"module 'embedforge' has no attribute '{name}'")
    from embedforge.training import qat

    return qat
