"""Model files in, model files out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from embedforge import _core


@dataclass(frozen=True)
class ConvertResult:
    """What convert() wrote."""

    model: Path  # the folder's onnx/model.onnx
    checkpoint_bytes: int  # of the weight files that were read
    files: dict[Path, int]  # every file written, with its size in bytes


def convert(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    opset: int = 17,
    with_pooling: bool = False,
) -> ConvertResult:
    """Make the model folder `out` from a checkpoint of the BERT family.

    `model` is a hub id in the local cache, or a folder with config.json and model.safetensors or
    pytorch_model.bin. `with_pooling` adds the output sentence_embedding, pooled and normalized as
    modules.json says.
    """
    path, checkpoint_bytes, files = _core.convert(
        os.fspath(model), os.fspath(out), opset, with_pooling
    )
    return ConvertResult(Path(path), checkpoint_bytes, {Path(name): size for name, size in files})
