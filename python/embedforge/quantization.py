"""Float models in, 8-bit models out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embedforge import _core


@dataclass(frozen=True)
class QuantizeResult:
    """What quantize() wrote."""

    model: Path
    original_bytes: int
    bytes: int
    calibration_texts: int  # that the decisions were made with
    cosines: tuple[float, ...]  # to the float model, of other texts, ascending
    errors: dict[str, float]  # of each product in int8, relative, on the calibration texts
    kept_float: dict[str, float] = field(default_factory=dict)  # for target_cosine: node -> gain
    target_reached: bool = True


def quantize(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    method: str = "dynamic",
    calibration: Sequence[str] = (),
    default_texts: str = "quick",
    calibrate_method: str = "mse",
    samples: int = 100,
    target_cosine: float | None = None,
    reduce_range: bool = False,
    exclude: Sequence[str] = (),
    threads: int | None = None,
    **qat_options: Any,
) -> QuantizeResult:
    """Quantize a model folder's onnx/model.onnx, or an .onnx file, to int8.

    `method`: "dynamic" (activations are measured for each token as the model runs), "static" (their
    ranges are constant) or "qat" (static, then trained; embedforge.qat() tells its options, and
    needs embedforge[torch]). `output` is by default onnx/model_qint8_METHOD.onnx in the folder.
    `calibration` holds texts like those that the model will see, of which at most `samples` are
    used; the others measure the result. Without any, the library's own stand in: "quick" (some of
    them, weights rounded to nearest), "builtin" (as if they were given) or "none".
    `calibrate_method` finds static ranges: mse, minmax, entropy or percentile. `target_cosine` keeps
    as few products float as reach it. `exclude` names MatMul nodes that stay float.
    """
    if isinstance(calibration, str):
        raise TypeError("calibration must be a list of texts, not one text")
    if method == "qat":
        from embedforge.training import qat

        return qat(
            model,
            output,
            calibration=calibration,
            calibrate_method=calibrate_method,
            samples=samples,
            threads=threads,
            **qat_options,
        )
    if qat_options:
        raise TypeError(f"quantize() has no option '{next(iter(qat_options))}' for method {method}")
    made = _core.quantize(
        os.fspath(model),
        "" if output is None else os.fspath(output),
        method,
        list(calibration),
        default_texts,
        calibrate_method,
        samples,
        target_cosine or 0.0,
        reduce_range,
        list(exclude),
        threads or 0,
    )
    return QuantizeResult(**{**made, "model": Path(made["model"])})
