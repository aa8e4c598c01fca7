"""What counts as texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

Texts = Any  # an iterable of str, a NumPy array of strings, or what has Arrow's __arrow_c_array__


def as_texts(texts: Texts) -> Sequence[str]:
    """A list, tuple or Arrow array of the texts, without a copy where that is possible.

    Raises TypeError for what holds no texts; the items are checked where their bytes are read.
    """
    if isinstance(texts, (list, tuple)):
        if texts and isinstance(texts[0], dict):
            raise TypeError(
                "texts must be str: dicts of images or of named parts are of models that embedforge"
                " doesn't run"
            )
        return texts
    if hasattr(texts, "__arrow_c_array__") or hasattr(texts, "__arrow_c_stream__"):
        return texts  # type: ignore[no-any-return]
    if isinstance(texts, np.ndarray):
        if texts.ndim != 1 or texts.dtype.kind not in "UTO":
            raise TypeError(
                f"texts must be an array of strings of one dimension, not {texts.dtype} {texts.shape}"
            )
        return texts.tolist()  # type: ignore[no-any-return]
    if isinstance(texts, (bytes, bytearray, memoryview, dict)) or not isinstance(texts, Iterable):
        raise TypeError(f"texts must be a str or an iterable of str, not {type(texts).__name__}")
    return list(texts)
