"""Text embeddings on a CPU: convert a checkpoint to ONNX, and turn texts into vectors."""

from embedforge._core import __version__
from embedforge.embedder import Embedder
from embedforge.errors import (
    BadInputError,
    EmbedforgeError,
    NotSupportedError,
    RemoteError,
    UsageError,
)
from embedforge.model import (
    ConvertResult,
    OptimizeResult,
    PassReport,
    QuantizeResult,
    convert,
    optimize,
    quantize,
)
from embedforge.onnx_embedder import ONNXEmbedder
from embedforge.vectors import quantize_vectors, similarity, vector_ranges

__all__ = [
    "BadInputError",
    "ConvertResult",
    "Embedder",
    "EmbedforgeError",
    "NotSupportedError",
    "ONNXEmbedder",
    "OptimizeResult",
    "PassReport",
    "QuantizeResult",
    "RemoteError",
    "UsageError",
    "__version__",
    "convert",
    "optimize",
    "quantize",
    "quantize_vectors",
    "similarity",
    "vector_ranges",
]
