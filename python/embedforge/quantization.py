"""Float models in, 8-bit models out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from embedforge.model import QuantizeResult, write_quantized


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
    return write_quantized(
        model,
        output,
        method=method,
        calibration=list(calibration),
        default_texts=default_texts,
        calibrate_method=calibrate_method,
        samples=samples,
        target_cosine=target_cosine and float(target_cosine),
        reduce_range=reduce_range,
        excluded=list(exclude),
        threads=threads,
    )
