"""Long lists of texts in pieces whose memory is bounded by what the texts weigh."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from embedforge.embedder import Embedder
from embedforge.texts import Texts

_MOST_TEXTS = 4096
_MOST_CHARACTERS = 1 << 21  # about half a million tokens


def encode_slices(embedder: Embedder, texts: Texts, **options: Any) -> npt.NDArray[Any]:
    """encode() of a column, whose tokens are never all in memory. Arrow's columns aren't copied to Python."""
    if not hasattr(texts, "nbytes") or not hasattr(texts, "slice"):
        whole: npt.NDArray[Any] = embedder.encode(texts, **options)
        return whole
    count = max(1, min(_MOST_TEXTS, len(texts) * _MOST_CHARACTERS // max(1, texts.nbytes)))
    parts = [
        embedder.encode(texts.slice(at, count), **options)
        for at in range(0, max(1, len(texts)), count)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
