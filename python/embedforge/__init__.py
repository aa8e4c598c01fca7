"""Text embeddings on a CPU: convert a checkpoint to ONNX, and turn texts into vectors."""

from embedforge._core import __version__
from embedforge.embedder import Embedder, similarity
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

__all__ = [
    "BadInputError",
    "ConvertResult",
    "Embedder",
    "EmbedforgeError",
    "NotSupportedError",
    "OptimizeResult",
    "PassReport",
    "QuantizeResult",
    "RemoteError",
    "UsageError",
    "__version__",
    "convert",
    "optimize",
    "quantize",
    "similarity",
]
