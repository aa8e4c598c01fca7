"""Changes of a model folder, one at a time, and what must come of each: sentence-transformers' vectors, or a refusal that names it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
import transformers
from safetensors.torch import load_file, save_file

import tiny_models
from key_values import ABSENT, FURTHER, LEFT_OUT, others

CLI = os.environ.get("EMBEDFORGE_CLI") or str(Path(__file__).parents[2] / "build" / "embedforge")


@dataclass(frozen=True)
class Change:
    """`key` of the JSON file `file` set to `value`, or taken away."""

    file: str
    key: str
    value: Any
    entry: int | None = None  # of a file that holds a list

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.key} = {'(absent)' if self.value is ABSENT else repr(self.value)}"
        )

    def apply(self, folder: Path) -> None:
        path = folder / self.file
        whole = json.loads(path.read_text())
        fields = whole if self.entry is None else whole[self.entry]
        fields.pop(self.key, None)
        if self.value is not ABSENT:
            fields[self.key] = self.value
        path.write_text(json.dumps(whole))


def config_changes(base: Path) -> list[Change]:
    """Of config.json."""
    config = json.loads((base / "config.json").read_text())
    values = {
        key: [*others(key, value), ABSENT] for key, value in config.items() if key not in LEFT_OUT
    }
    for key, more in FURTHER.items():
        values[key] = [*more, *[each for each in values.get(key, []) if each not in more]]
    return [
        Change("config.json", key, value)
        for key, several in values.items()
        for value in several
        if value != config.get(key, ABSENT)
    ]


def folder_changes() -> list[Change]:
    """Of the other files."""
    modes = [
        "cls",
        "max",
        "mean_sqrt_len_tokens",
        "weightedmean",
        "lasttoken",
        "nonsense",
        ["mean", "cls"],
    ]
    activation = "torch.nn.modules.activation."
    changes: dict[str, dict[str, list[Any]]] = {
        "1_Pooling/config.json": {
            "pooling_mode": [*modes, ABSENT],
            "embedding_dimension": [16, ABSENT],
            "word_embedding_dimension": [32],
            "include_prompt": [False, ABSENT],
            "pooling_mode_cls_token": [True],
            "pooling_mode_max_tokens": [True],
            "nobody_knows": [1],
        },
        "2_Dense/config.json": {
            "in_features": [16, 64, ABSENT],
            "out_features": [12, 48, ABSENT],
            "bias": [False, ABSENT],
            "activation_function": [
                *[
                    activation + name
                    for name in ("ReLU", "GELU", "Sigmoid", "SiLU", "Mish", "Softplus")
                ],
                "torch.nn.modules.linear.Identity",
                "own_package.GELU",
                ABSENT,
            ],
            "module_input_name": ["token_embeddings", ABSENT],
            "module_output_name": ["other", None, ABSENT],
            "use_residual": [True, False],
            "nobody_knows": [1],
        },
        "3_LayerNorm/config.json": {"dimension": [12, 32]},
        "4_Normalize/config.json": {
            "module_input_name": ["token_embeddings", "other", "sentence_embedding"],
            "module_output_name": ["other"],
        },
        "sentence_bert_config.json": {
            "max_seq_length": [5, 12, None],
            "transformer_task": ["fill-mask", "text-generation", "sequence-classification", ABSENT],
            "modality_config": [
                {"text": {"method": "forward", "method_output_name": "pooler_output"}},
                ABSENT,
            ],
            "module_output_name": ["sentence_embedding"],
            "processing_kwargs": [
                {},
                {"text": {"max_length": 5}},
                {"text": {"add_special_tokens": False}},
            ],
            "unpad_inputs": [False],
            "query_length": [5, None],
            "document_length": [5],
            "query_expansion": [{"strategy": "fixed", "length": 16}],
            "model_args": [{}, {"attn_implementation": "eager"}],
            "tokenizer_args": [{"model_max_length": 6}],
            "config_args": [{"hidden_act": "relu"}],
            "nobody_knows": [1],
        },
        "config_sentence_transformers.json": {
            "truncate_dim": [8, 1, 24, 100, None],
            "default_prompt_name": ["query", "other", "document"],
            "prompts": [{}, {"query": None}, {"query": "wind "}],
            "similarity_fn_name": ["dot", None],
            "model_type": ["SparseEncoder", ABSENT],
            "__version__": [{}, ABSENT],
            "nobody_knows": [1],
        },
    }
    listed = [
        Change(file, key, value)
        for file, keys in changes.items()
        for key, values in keys.items()
        for value in values
    ]
    prefix = "sentence_transformers."
    entries = [
        (1, "type", prefix + "models.Pooling"),
        (1, "type", "own_package.Pooling"),
        (2, "type", prefix + "models.Dropout"),
        (3, "type", prefix + "models.Normalize"),
        (2, "path", "3_LayerNorm"),
        (1, "path", "nowhere"),
        (4, "idx", 17),
        (4, "name", "another"),
        (0, "kwargs", ["task"]),
        (0, "kwargs", []),
    ]
    return listed + [Change("modules.json", key, value, entry) for entry, key, value in entries]


@dataclass(frozen=True)
class TensorChange:
    """One tensor of a file of weights that is away, or has another name or shape; or a further one."""

    file: str
    name: str
    how: str  # "removed", "renamed", "reshaped", "added"

    def __str__(self) -> str:
        return f"{self.file}: tensor {self.name} {self.how}"

    def apply(self, folder: Path) -> None:
        path = folder / self.file
        tensors = load_file(path)
        taken = tensors.pop(self.name, None)
        if self.how == "added":
            tensors[self.name] = torch.randn(tiny_models.HIDDEN, tiny_models.HIDDEN)
        elif self.how == "renamed":
            tensors[self.name + "_before"] = taken
        elif self.how == "reshaped":
            tensors[self.name] = torch.cat([taken, taken[:1]])
        save_file(tensors, path)


def tensor_changes(base: Path) -> list[TensorChange]:
    listed = []
    for file in ("model.safetensors", "2_Dense/model.safetensors", "3_LayerNorm/model.safetensors"):
        names = sorted(load_file(base / file))
        deepest = max(names, key=lambda name: name.count("."))
        added = [
            "linear.weight2",
            "projection.weight",
            "lora_A.weight",
            deepest.replace("0", "9", 1),
            deepest + ".more",
        ]
        listed += [TensorChange(file, name, "added") for name in added if name not in names]
        listed += [
            TensorChange(file, name, how)
            for name in names
            for how in ("removed", "renamed", "reshaped")
        ]
    return listed


class RefusedError(Exception):
    pass


def command(*arguments: str) -> str:
    """Its stderr. Errors: RefusedError with it."""
    library = Path(onnxruntime.__file__).parent / "capi"
    done = subprocess.run(
        [CLI, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "ONNXRUNTIME_LIB": str(library)},
    )
    if done.returncode in (0,):
        return done.stderr
    assert done.returncode in (2, 3, 4) and "bug:" not in done.stderr, (
        arguments,
        done.returncode,
        done.stderr,
    )
    raise RefusedError(done.stderr.strip())


def our_vectors(folder: Path, work: Path) -> dict[str, np.ndarray]:
    """By backend. Errors: RefusedError."""
    shutil.rmtree(work, ignore_errors=True)
    command("convert", str(folder), "-o", str(work / "model"))
    (work / "texts").write_text("\n".join(tiny_models.texts()) + "\n")
    vectors = {}
    for backend in ("native", "onnxruntime"):
        out = work / f"{backend}.npy"
        command(
            "encode",
            str(work / "model"),
            "--input",
            str(work / "texts"),
            "--output",
            str(out),
            "--backend",
            backend,
        )
        vectors[backend] = np.load(out)
    return vectors


class UnusableError(Exception):
    """The reference doesn't take the folder, or makes weights up."""


def their_vectors(folder: Path) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    settings = {"dtype": torch.float32, "attn_implementation": "eager"}
    try:
        _, info = transformers.AutoModel.from_pretrained(
            str(folder), output_loading_info=True, **settings
        )
        model = SentenceTransformer(str(folder), device="cpu", model_kwargs=settings)
        vectors = [
            model.encode(text, normalize_embeddings=True, show_progress_bar=False)
            for text in tiny_models.texts()
        ]
        rows = np.stack(vectors)
    except Exception as error:
        raise UnusableError(repr(error)) from error
    made_up = [name for name in info["missing_keys"] if "pooler" not in name]
    if made_up or info.get("mismatched_keys"):
        raise UnusableError(f"makes up {made_up} {info.get('mismatched_keys')}")
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise UnusableError("no finite vectors")
    return rows


def difference(ours: dict[str, np.ndarray], theirs: np.ndarray) -> str:
    """ "" when both backends give the reference's vectors."""
    for backend, rows in ours.items():
        if rows.shape != theirs.shape:
            return f"{backend}: {rows.shape} instead of {theirs.shape}"
        cosine = (rows * theirs).sum(1) / (
            np.linalg.norm(rows, axis=1) * np.linalg.norm(theirs, axis=1)
        )
        if not cosine.min() >= 0.99999:
            return f"{backend}: cosine {cosine.min():.6f}"
    return ""


def verdict(
    base: Path, change: Change | TensorChange, work: Path, unchanged: np.ndarray
) -> tuple[str, str]:
    """("right" | "refused" | "WRONG" | "not accepted by the reference", why)."""
    folder = work / "folder"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder)
    change.apply(folder)
    ours: dict[str, np.ndarray] | None = None
    message = ""
    try:
        ours = our_vectors(folder, work / "ours")
    except RefusedError as refusal:
        message = str(refusal)
    try:
        # A tensor that transformers lacks, it makes up; one more, it leaves alone: then they don't change.
        theirs = unchanged if isinstance(change, TensorChange) else their_vectors(folder)
    except UnusableError as reason:
        # The reference has no vectors that could be met: whoever gives some must say nothing wrong.
        return "not accepted by the reference", str(reason)
    if ours is not None:
        found = difference(ours, theirs)
        return ("WRONG", found) if found else ("right", "")
    named = change.name if isinstance(change, TensorChange) else change.key
    if named not in message and "tensor" not in message and Path(change.file).name not in message:
        return "WRONG", f"refused without its name: {message}"
    return "refused", message
