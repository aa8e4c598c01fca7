"""Quantization-aware training: a static int8 model learns to give the float model's vectors back.

The two ONNX files run as PyTorch modules, node by node, so that QuantizeLinear and DequantizeLinear
compute what they compute in the file; gradients go through the rounding as if it were not there
(straight-through). Weights, biases and the steps of the weights are trained, on plain texts without
labels; the result is the static file with other constants in it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embedforge import _core
from embedforge.errors import NotSupportedError
from embedforge.quantization import QuantizeResult, quantize

try:
    import torch
except ImportError as missing:
    raise ImportError(
        "quantization-aware training needs PyTorch: pip install 'embedforge[torch]'"
    ) from missing

Value = Any  # a tensor
NUMBERS = {"float16": np.float16, "float32": np.float32, "float64": np.float64, "bool": np.bool_}


def _tensor(parts: tuple[str, list[int], bytes]) -> Value:
    kind, dims, data = parts
    array = np.frombuffer(data, NUMBERS.get(kind, kind)).reshape(dims).copy()
    return torch.from_numpy(array)


def _straight(x: Value) -> Value:
    return x + (torch.round(x) - x).detach()


def _steps(weight: Value, scale: Value) -> Value:
    """A [k, n] weight in whole steps, as WeightRange::kReduced has them: of two neighbours (2i and
    2i + 1) those of one sign sum to 128 at most."""
    steps = torch.clamp(_straight(weight / scale), -127, 127)
    paired = steps.shape[0] // 2 * 2
    first, second = steps[0:paired:2], steps[1:paired:2]
    partner = first.detach()
    high = torch.where(partner > 0, 128 - partner, 127.0).clamp(max=127)
    low = torch.where(partner < 0, -128 - partner, -127.0).clamp(min=-127)
    second = torch.minimum(torch.maximum(second, low), high)
    pairs = torch.stack([first, second], dim=1).reshape(paired, -1)
    return torch.cat([pairs, steps[paired:]])


def _along(x: Value, values: Value, axis: int) -> Value:
    if values.ndim == 0 or values.numel() == 1:
        return values.reshape(())
    shape = [1] * x.ndim
    shape[axis] = -1
    return values.reshape(shape)


def _slice(x: Value, *bounds: Value) -> Value:
    starts, ends, axes, *steps = [b.reshape(-1).tolist() for b in bounds]
    if steps and any(s != 1 for s in steps[0]):
        raise NotSupportedError("training of a graph whose Slice has steps")
    for start, end, axis in zip(starts, ends, axes, strict=True):
        begin, stop, _ = slice(start, end).indices(x.shape[axis])
        x = x.narrow(axis, begin, stop - begin)
    return x


def _reshape(x: Value, shape: Value) -> Value:
    sizes = shape.tolist()
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(sizes)])


def _unsqueeze(x: Value, axes: Value) -> Value:
    for axis in sorted(axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def _gather(x: Value, ids: Value, axis: int) -> Value:
    if axis not in (0, -1, x.ndim - 1):
        raise NotSupportedError(f"training of a graph that gathers along axis {axis}")
    if axis == 0:
        return x[ids]
    return x[..., ids]


class OnnxModule:
    """A graph of the operators that encoders use, run by PyTorch. `trained`: the tensors that replace
    initializers of the same names; weights are given dequantized, as [k, n] floats."""

    def __init__(self, file: Path) -> None:
        self.nodes, parts, self.inputs, outputs = _core.read_graph(os.fspath(file))
        self.output = outputs[0]
        self.constants = {name: _tensor(tensor) for name, tensor in parts.items()}
        self.trained: dict[str, Value] = {}

    def weights(self) -> list[tuple[str, str]]:
        """(integers, scales) of the weights that DequantizeLinear takes."""
        return [
            (inputs[0], inputs[1])
            for op, inputs, _, _ in self.nodes
            if op == "DequantizeLinear" and inputs[0] in self.constants
        ]

    def __call__(self, ids: Value, mask: Value) -> Value:
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
        values = {**self.constants, **self.trained, **{k: feed[k] for k in self.inputs}}
        for op, inputs, outputs, attributes in self.nodes:
            values[outputs[0]] = self._run(op, [values[i] for i in inputs if i], attributes, inputs)
        return values[self.output]

    def _run(self, op: str, x: list[Value], a: dict[str, Any], names: Sequence[str]) -> Value:
        simple: dict[str, Callable[..., Value]] = {
            "Add": torch.add,
            "Sub": torch.sub,
            "Mul": torch.mul,
            "Div": torch.div,
            "Erf": torch.erf,
            "Tanh": torch.tanh,
            "MatMul": torch.matmul,
            "Reshape": _reshape,
            "Unsqueeze": _unsqueeze,
            "Slice": _slice,
        }
        if op in simple:
            return simple[op](*x)
        if op == "LayerNormalization":
            return torch.nn.functional.layer_norm(
                x[0], x[1].shape, x[1], x[2] if len(x) > 2 else None, a.get("epsilon", 1e-5)
            )
        if op == "Softmax":
            return torch.softmax(x[0], a.get("axis", -1))
        if op == "Transpose":
            return x[0].permute(a["perm"])
        if op == "Cast":
            return x[0].to({1: torch.float32, 6: torch.int32, 7: torch.int64}[a["to"]])
        if op == "Gather":
            return _gather(x[0], x[1], a.get("axis", 0))
        if op == "Shape":
            return torch.tensor(x[0].shape[a.get("start", 0) : a.get("end")])
        if op == "QuantizeLinear":  # uint8, kept as float so that gradients pass
            return torch.clamp(_straight(x[0] / x[1]) + x[2].to(x[0].dtype), 0, 255)
        if op == "DequantizeLinear":
            scale = _along(x[0], x[1], a.get("axis", 1))
            if names[0] in self.trained:
                return _steps(x[0], scale) * scale
            zero = _along(x[0], x[2].to(scale.dtype), a.get("axis", 1))
            return (x[0].to(scale.dtype) - zero) * scale
        raise NotSupportedError(f"training of a graph with the operator {op}")


class _Batches:
    """Texts as padded batches of near lengths, and the float model's vectors of them."""

    def __init__(self, folder: str, texts: Sequence[str], teacher: OnnxModule, size: int) -> None:
        tokenizer = _core.Tokenizer.load(folder)
        longest = _max_length(Path(folder))
        rows = sorted((tokenizer.encode(text, longest, True).ids for text in texts), key=len)
        self.batches = []
        with torch.no_grad():
            for begin in range(0, len(rows), size):
                part = rows[begin : begin + size]
                width = max(map(len, part))
                ids = torch.tensor([row + [0] * (width - len(row)) for row in part])
                mask = torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in part])
                self.batches.append((ids, mask, _pooled(teacher(ids, mask), mask)))

    def cosines(self, model: OnnxModule) -> list[float]:
        with torch.no_grad():
            return sorted(
                c
                for ids, mask, want in self.batches
                for c in (_pooled(model(ids, mask), mask) * want).sum(1).tolist()
            )


def _max_length(folder: Path) -> int:
    try:
        settings = json.loads((folder / "sentence_bert_config.json").read_text())
        return int(settings["max_seq_length"])
    except (OSError, KeyError):
        return 512


def _pooled(hidden: Value, mask: Value) -> Value:
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return torch.nn.functional.normalize((hidden * weights).sum(1) / weights.sum(1), dim=1)


def _make_trainable(student: OnnxModule) -> dict[str, tuple[str, Value]]:
    """Puts weights, their scales and the biases among `trained`; gives integers -> (scales, start)."""
    weights = {}
    for integers, scales in student.weights():
        start = student.constants[integers].float() * student.constants[scales]
        student.trained[integers] = start.clone().requires_grad_()
        student.trained[scales] = student.constants[scales].clone().requires_grad_()
        weights[integers] = (scales, start)
    for op, inputs, _, _ in student.nodes:
        if op != "Add":
            continue
        for name in inputs:
            value = student.constants.get(name)
            if value is not None and value.ndim == 1 and value.dtype == torch.float32:
                student.trained[name] = value.clone().requires_grad_()
    return weights


def _export(student: OnnxModule, weights: dict[str, tuple[str, Value]]) -> dict[str, bytes]:
    out = {}
    for name, value in student.trained.items():
        array = value.detach()
        if name in weights:
            scale = student.trained[weights[name][0]].detach()
            array = _steps(array, scale).to(torch.int8)
        out[name] = array.contiguous().numpy().tobytes()
    return out


def qat(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    calibration: Sequence[str],
    samples: int = 100,
    calibrate_method: str = "mse",
    epochs: int = 3,
    batch_size: int = 8,
    learning_rate: float = 2e-5,
    seed: int = 0,
    threads: int | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> QuantizeResult:
    """Train the static int8 model on `calibration`, plain texts, to give the float model's vectors.

    `model` is a folder with onnx/model.onnx that pools by mean. The first `samples` texts calibrate
    the static model; a tenth of the others, 16 at least, choose the best of the epochs (the static
    model itself, should none be better) and measure it; the rest and the calibration texts train.
    `output` is by default onnx/model_qint8_qat.onnx in the folder. `progress` is called with
    (finished steps, all, loss).
    """
    texts = [text for text in calibration if text.strip()]
    if len(texts) < 48:
        raise ValueError(f"quantization-aware training needs 48 texts or more ({len(texts)} given)")
    folder = _core.tokenizer_folder(os.fspath(model))
    root = Path(model) if Path(model).is_dir() else Path(folder)
    target = root / "onnx/model_qint8_qat.onnx" if output is None else Path(output)
    held_count = max(16, len(texts) // 10)
    trained_on, held_texts = texts[:-held_count], texts[-held_count:]
    if threads:
        torch.set_num_threads(threads)
    random.seed(seed)
    with tempfile.TemporaryDirectory() as temporary:
        static = Path(temporary) / "static.onnx"
        made = quantize(
            root,
            static,
            method="static",
            calibration=trained_on,
            samples=samples,
            calibrate_method=calibrate_method,
            threads=threads,
        )
        teacher, student = OnnxModule(root / "onnx/model.onnx"), OnnxModule(static)
        held = _Batches(folder, held_texts, teacher, batch_size)
        train = _Batches(folder, trained_on, teacher, batch_size)
        best, cosines = None, held.cosines(student)
        weights = _make_trainable(student)
        scales = [student.trained[s] for s, _ in weights.values()]
        others = [v for v in student.trained.values() if not any(v is s for s in scales)]
        groups: list[dict[str, Any]] = [
            {"params": others},
            {"params": scales, "lr": learning_rate / 20},
        ]
        optimizer = torch.optim.Adam(groups, lr=learning_rate)
        steps = epochs * len(train.batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        done = 0
        for _ in range(epochs):
            random.shuffle(train.batches)
            for ids, mask, want in train.batches:
                loss = (1 - (_pooled(student(ids, mask), mask) * want).sum(1)).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                done += 1
                if progress:
                    progress(done, steps, loss.item())
            now = held.cosines(student)
            if sum(now) > sum(cosines):
                best, cosines = _export(student, weights), now
        written = Path(temporary) / "trained.onnx"
        metadata = {
            "embedforge.quantization": "static int8, trained (qat), per tensor and output channel",
            "embedforge.cosine_mean": f"{sum(cosines) / len(cosines):.6f}",
            "embedforge.cosine_min": f"{cosines[0]:.6f}",
            "embedforge.cosine_texts": str(len(cosines)),
        }
        _core.replace_tensors(os.fspath(static), os.fspath(written), best or {}, metadata)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(written, beside)
        beside.replace(target)
    return QuantizeResult(
        target,
        made.original_bytes,
        target.stat().st_size,
        made.calibration_texts,
        tuple(cosines),
        made.errors,
    )
