"""Quantization-aware training: a static int8 model learns to give the float model's vectors back.

The two ONNX files run as PyTorch modules, node by node, so that QuantizeLinear and DequantizeLinear
compute what they compute in the file; gradients go through the rounding as if it were not there
(straight-through). Trained are the steps of the weights and of the activations, the factors of the
input channels, biases and norms, on plain texts without labels. The integers stay as the static file
has them: GPTQ fits those of a column to each other, which moving them one by one undoes. The result
is the static file with other constants in it.
"""

from __future__ import annotations

import errno
import json
import os
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from embedforge import _core
from embedforge.errors import BadInputError, NotSupportedError, UsageError
from embedforge.model import QuantizeResult, write_quantized

try:
    import torch
except ImportError as missing:
    raise ImportError(
        "quantization-aware training needs PyTorch: pip install 'embedforge[torch]'"
    ) from missing

Value = Any  # a tensor
TRAINED_TOKENS = 64  # of a text; more texts teach more than longer ones
TOKENS_PART = 0.02  # of the loss
MULTIPLIERS_RATE = 3  # of a multiplier relative to its size, where a bias has 1
NUMBERS = {"float16": np.float16, "float32": np.float32, "float64": np.float64, "bool": np.bool_}


def _tensor(parts: tuple[str, list[int], bytes]) -> Value:
    kind, dims, data = parts
    array = np.frombuffer(data, NUMBERS.get(kind, kind)).reshape(dims).copy()
    return torch.from_numpy(array)


def _straight(x: Value) -> Value:
    return x + (torch.round(x) - x).detach()


def _round_rows(x: Value) -> Value:
    low = x.detach().amin(-1, keepdim=True)
    step = ((x.detach().amax(-1, keepdim=True) - low) / 255).clamp(min=1e-15)
    return low + step * _straight((x - low) / step)


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
    initializers of the same names. `own_ranges`: activations are rounded with each token's own range,
    as the native engine does it, in place of the file's constant ones."""

    def __init__(self, file: Path) -> None:
        self.nodes, parts, self.inputs, outputs = _core.read_graph(os.fspath(file))
        self.output = outputs[0]
        self.constants = {name: _tensor(tensor) for name, tensor in parts.items()}
        self.trained: dict[str, Value] = {}
        self.own_ranges = False

    def states(self, ids: Value, mask: Value) -> list[Value]:
        """What each norm gives, and last the output."""
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
        values = {**self.constants, **self.trained, **{k: feed[k] for k in self.inputs}}
        norms = []
        for op, inputs, outputs, attributes in self.nodes:
            out = self._run(op, [values[i] for i in inputs if i], attributes)
            values[outputs[0]] = out
            if op == "LayerNormalization":
                norms.append(out)
        return [*norms, values[self.output]]

    def _run(self, op: str, x: list[Value], a: dict[str, Any]) -> Value:
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
            if self.own_ranges:
                return _round_rows(x[0])
            return torch.clamp(_straight(x[0] / x[1]) + x[2].to(x[0].dtype), 0, 255)
        if op == "DequantizeLinear":
            if self.own_ranges and x[0].is_floating_point():
                return x[0]
            scale = _along(x[0], x[1], a.get("axis", 1))
            zero = _along(x[0], x[2].to(scale.dtype), a.get("axis", 1))
            return (x[0].to(scale.dtype) - zero) * scale
        raise NotSupportedError(f"training of a graph with the operator {op}")


@dataclass(frozen=True)
class _Batch:
    ids: Value
    mask: Value

    def vectors(self, model: OnnxModule) -> Value:
        return _pooled(model.states(self.ids, self.mask)[-1], self.mask)


def _batches(folder: str, texts: Sequence[str], longest: int, size: int) -> list[_Batch]:
    """Padded, of near lengths."""
    tokenizer = _core.Tokenizer.load(folder)
    rows = sorted((tokenizer.encode(text, longest, True).ids for text in texts), key=len)
    out = []
    for begin in range(0, len(rows), size):
        part = rows[begin : begin + size]
        width = max(map(len, part))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in part])
        mask = torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in part])
        out.append(_Batch(ids, mask))
    return out


class _Held:
    """Texts that judge, with the float model's vectors of them."""

    def __init__(self, batches: Sequence[_Batch], teacher: OnnxModule) -> None:
        with torch.no_grad():
            self.expected = [(b, b.vectors(teacher)) for b in batches]

    def cosines(self, model: OnnxModule, own_ranges: bool) -> list[float]:
        model.own_ranges = own_ranges
        with torch.no_grad():
            return sorted(
                c
                for batch, vectors in self.expected
                for c in (batch.vectors(model) * vectors).sum(1).tolist()
            )


def _loss(student: OnnxModule, teacher: OnnxModule, batch: _Batch) -> Value:
    """1 - cosine of the vectors, and a little of the relative squared error of all tokens after each
    norm, which keeps training from fitting to these texts' vectors what others don't have."""
    with torch.no_grad():
        wanted = teacher.states(batch.ids, batch.mask)
    states = student.states(batch.ids, batch.mask)
    vectors, expected = _pooled(states[-1], batch.mask), _pooled(wanted[-1], batch.mask)
    weights = (batch.mask / batch.mask.sum(1, keepdim=True)).unsqueeze(-1)
    errors = [
        ((got - want).square() * weights).sum() / (want.square() * weights).sum()
        for got, want in zip(states, wanted, strict=True)
    ]
    return (1 - (vectors * expected).sum(1)).mean() + TOKENS_PART * sum(errors) / len(errors)


def _max_length(folder: Path) -> int:
    try:
        settings = json.loads((folder / "sentence_bert_config.json").read_text())
        return int(settings["max_seq_length"])
    except (OSError, KeyError):
        return 512


def _pooled(hidden: Value, mask: Value) -> Value:
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return torch.nn.functional.normalize((hidden * weights).sum(1) / weights.sum(1), dim=1)


def _make_trainable(student: OnnxModule, learning_rate: float) -> list[dict[str, Any]]:
    """Puts what is trained among `trained`, and gives the optimizer's groups. What multiplies has a
    rate relative to its size: steps of weights and activations, and factors of channels."""
    groups = []
    for op, inputs, _, _ in student.nodes:
        multiplies = op in ("QuantizeLinear", "DequantizeLinear", "Mul")
        if not multiplies and op not in ("Add", "LayerNormalization"):
            continue
        for name in inputs:
            value = student.constants.get(name)
            if value is None or value.dtype != torch.float32 or name in student.trained:
                continue
            if value.ndim != 1 and op != "QuantizeLinear":
                continue  # a graph's own numbers
            student.trained[name] = value.clone().requires_grad_()
            size = MULTIPLIERS_RATE * value.abs().mean().item() if multiplies else 1
            groups.append({"params": [student.trained[name]], "lr": learning_rate * size})
    return groups


def _export(student: OnnxModule) -> dict[str, bytes]:
    return {
        name: value.detach().contiguous().numpy().tobytes()
        for name, value in student.trained.items()
    }


def _folder_beside(target: Path) -> tempfile.TemporaryDirectory[str]:
    """On the same file system, and refused now rather than after the training."""
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        target.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".qat-", dir=target.parent)
    except OSError as error:
        raise BadInputError(f"{target}: cannot write: {error.strerror}") from None


def qat(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    calibration: Sequence[str],
    samples: int = 100,
    calibrate_method: str = "mse",
    epochs: int = 3,
    batch_size: int = 8,
    learning_rate: float = 6e-5,
    seed: int = 0,
    threads: int | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> QuantizeResult:
    """Train the static int8 model on `calibration`, plain texts, to give the float model's vectors.

    `model` is a folder with onnx/model.onnx that pools by mean. The first `samples` texts calibrate
    the static model; a tenth of the others, 16 at least, choose the best of the epochs (the static
    model itself, should none be better) and measure it; the rest, the calibration texts and the
    library's own train, the first 64 tokens of each. Half of the steps round activations by the
    file's ranges, as ONNX Runtime does, half by each token's own, as the native engine does, and an
    epoch must be better in both. `output` is by default onnx/model_qint8_qat.onnx in the folder.
    `progress` is called with (finished steps, all, loss).
    """
    texts = [text for text in calibration if text.strip()]
    if len(texts) < 48:
        raise BadInputError(
            f"quantization-aware training needs 48 texts or more ({len(texts)} given)"
        )
    folder = _core.tokenizer_folder(os.fspath(model))
    root = Path(model) if Path(model).is_dir() else Path(folder)
    target = root / "onnx/model_qint8_qat.onnx" if output is None else Path(output)
    source = root / "onnx/model.onnx"
    if target.exists() and target.samefile(source):
        raise UsageError(f"{source}: the output would replace the float model; choose another")
    held_count = max(16, len(texts) // 10)
    trained_on, held_texts = texts[:-held_count], texts[-held_count:]
    if threads:
        torch.set_num_threads(threads)
    draw = random.Random(seed)
    with _folder_beside(target) as temporary:
        static = Path(temporary) / "static.onnx"
        made = write_quantized(
            root,
            static,
            method="static",
            calibration=trained_on,
            samples=samples,
            calibrate_method=calibrate_method,
            threads=threads,
        )
        teacher, student = OnnxModule(source), OnnxModule(static)
        longest = _max_length(Path(folder))
        held = _Held(_batches(folder, held_texts, longest, batch_size), teacher)
        train = _batches(
            folder, trained_on + _core.default_texts(), min(longest, TRAINED_TOKENS), batch_size
        )
        best, chosen = {}, [held.cosines(student, own_ranges) for own_ranges in (False, True)]
        optimizer = torch.optim.Adam(_make_trainable(student, learning_rate), betas=(0.9, 0.99))
        steps = epochs * len(train)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        done = 0
        for _ in range(epochs):
            draw.shuffle(train)
            for batch in train:
                student.own_ranges = draw.random() < 0.5
                loss = _loss(student, teacher, batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                done += 1
                if progress:
                    progress(done, steps, loss.item())
            now = [held.cosines(student, own_ranges) for own_ranges in (False, True)]
            if all(sum(a) > sum(b) for a, b in zip(now, chosen, strict=True)):
                best, chosen = _export(student), now
        cosines = chosen[0]
        written = Path(temporary) / "trained.onnx"
        metadata = {
            "embedforge.quantization": "static int8, trained (qat), per tensor and output channel",
            "embedforge.cosine_mean": f"{sum(cosines) / len(cosines):.6f}",
            "embedforge.cosine_min": f"{cosines[0]:.6f}",
            "embedforge.cosine_texts": str(len(cosines)),
        }
        _core.replace_tensors(os.fspath(static), os.fspath(written), best, metadata)
        written.replace(target)
    return QuantizeResult(
        target,
        made.original_bytes,
        target.stat().st_size,
        made.calibration_texts,
        tuple(cosines),
        made.errors,
    )
