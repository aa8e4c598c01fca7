"""Model files in, model files out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
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
    strict: bool = False,
) -> ConvertResult:
    """Make the model folder `out` from a checkpoint (docs/models.md lists the architectures).

    `model` is a hub id, or a folder with config.json and model.safetensors or
    pytorch_model.bin. `with_pooling` adds the output sentence_embedding, pooled and normalized as
    modules.json says. A key of the folder's files that isn't known is a RuntimeWarning; with
    `strict` an error.
    """
    path, checkpoint_bytes, files, notes = _core.convert(
        os.fspath(model), os.fspath(out), opset, with_pooling, strict
    )
    for note in notes:
        warnings.warn(note, RuntimeWarning, stacklevel=2)
    return ConvertResult(Path(path), checkpoint_bytes, {Path(name): size for name, size in files})


@dataclass(frozen=True)
class PassReport:
    """What one pass did."""

    name: str
    seconds: float
    removed: int  # nodes; negative when it added some
    rewritten: int  # nodes that are another operator than before


@dataclass(frozen=True)
class OptimizeResult:
    """What optimize() wrote."""

    source: Path
    model: Path
    nodes_before: int
    nodes_after: int
    seconds: float
    files: dict[Path, int]  # every file written, with its size in bytes
    passes: list[PassReport]


def optimize(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    level: str = "extended",
    input: str | os.PathLike[str] | None = None,
    disable_passes: Sequence[str] = (),
) -> OptimizeResult:
    """Rewrite an ONNX file so that it computes the same with fewer, larger operators.

    `model` is a folder or hub id, of which onnx/model.onnx is read (or `input`), or an .onnx file.
    `level` is none, basic (standard operators), extended (those of com.microsoft too) or all. `out`
    is by default model_LEVEL.onnx beside the input.
    """
    source, path, before, after, seconds, files, passes = _core.optimize(
        os.fspath(model),
        "" if out is None else os.fspath(out),
        level,
        list(disable_passes),
        "" if input is None else os.fspath(input),
    )
    return OptimizeResult(
        Path(source),
        Path(path),
        before,
        after,
        seconds,
        {Path(name): size for name, size in files},
        [PassReport(*report) for report in passes],
    )
