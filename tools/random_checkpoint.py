"""Checkpoints with the shapes of the guide's models and random values, for sizes and speeds, which don't depend on them.

    tools/random_checkpoint.py FOLDER TOKENIZER bert|nomic LAYERS WIDTH

TOKENIZER is a folder of all-MiniLM-L6-v2; nomic 12 768 is nomic-embed-text-v1.5, bert 24 1024 bge-large.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

WORDS = 30522  # of all-MiniLM-L6-v2's tokenizer, which the guide's other models share
Shapes = dict[str, tuple[int, ...]]


def linear(name: str, inputs: int, outputs: int, bias: bool = True) -> Iterator[Any]:
    yield f"{name}.weight", (outputs, inputs)
    if bias:
        yield f"{name}.bias", (outputs,)


def norm(name: str, width: int) -> Iterator[Any]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def bert(layers: int, width: int) -> tuple[Shapes, dict[str, Any], str]:
    """Tensors, changes of config.json, pooling: of bge-small, -base and -large."""
    shapes: Shapes = {
        "embeddings.word_embeddings.weight": (WORDS, width),
        "embeddings.position_embeddings.weight": (512, width),
        "embeddings.token_type_embeddings.weight": (2, width),
        **dict(norm("embeddings.LayerNorm", width)),
        **dict(linear("pooler.dense", width, width)),
    }
    for i in range(layers):
        at = f"encoder.layer.{i}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= dict(linear(f"{at}.attention.{part}", width, width))
        shapes |= dict(norm(f"{at}.attention.output.LayerNorm", width))
        shapes |= dict(linear(f"{at}.intermediate.dense", width, 4 * width))
        shapes |= dict(linear(f"{at}.output.dense", 4 * width, width))
        shapes |= dict(norm(f"{at}.output.LayerNorm", width))
    config = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 64 if width > 384 else 12,
        "intermediate_size": 4 * width,
    }
    return shapes, config, "cls"


def nomic(layers: int, width: int) -> tuple[Shapes, dict[str, Any], str]:
    """The same of nomic-embed-text-v1.5, whose vocabulary is padded to a multiple of 64."""
    words = (WORDS + 63) // 64 * 64
    shapes: Shapes = {
        "embeddings.word_embeddings.weight": (words, width),
        "embeddings.token_type_embeddings.weight": (2, width),
        **dict(norm("emb_ln", width)),
    }
    for i in range(layers):
        at = f"encoder.layers.{i}"
        shapes |= dict(linear(f"{at}.attn.Wqkv", width, 3 * width, bias=False))
        shapes |= dict(linear(f"{at}.attn.out_proj", width, width, bias=False))
        shapes |= dict(linear(f"{at}.mlp.fc11", width, 4 * width, bias=False))
        shapes |= dict(linear(f"{at}.mlp.fc12", width, 4 * width, bias=False))
        shapes |= dict(linear(f"{at}.mlp.fc2", 4 * width, width, bias=False))
        shapes |= dict(norm(f"{at}.norm1", width)) | dict(norm(f"{at}.norm2", width))
    config = {
        "model_type": "nomic_bert",
        "architectures": ["NomicBertModel"],
        "vocab_size": words,
        "pad_vocab_size_multiple": 64,
        "n_embd": width,
        "n_head": width // 64,
        "n_layer": layers,
        "n_inner": 4 * width,
        "n_positions": 8192,
        "rotary_emb_base": 1000,
        "rotary_emb_fraction": 1.0,
        "activation_function": "swiglu",
        "qkv_proj_bias": False,
        "mlp_fc1_bias": False,
        "mlp_fc2_bias": False,
        "type_vocab_size": 2,
        "layer_norm_epsilon": 1e-12,
    }
    return shapes, config, "mean"


KINDS = {"bert": bert, "nomic": nomic}
LIMITS = {"bert": 512, "nomic": 8192}


def write_safetensors(path: Path, shapes: Shapes) -> None:
    """Normal values of deviation 0.02; around 1 for a norm's weights."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    draw = np.random.default_rng(1)
    with path.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            values = draw.standard_normal(shape, np.float32) * np.float32(0.02)
            is_scale = len(shape) == 1 and name.endswith("weight")
            out.write((values + is_scale).astype("<f4").tobytes())


def random_checkpoint(folder: Path, tokenizer: Path, kind: str, layers: int, width: int) -> None:
    """A model folder as sentence-transformers reads it; `tokenizer`: the folder of all-MiniLM-L6-v2."""
    shapes, changes, pooling = KINDS[kind](layers, width)
    folder.mkdir(parents=True)
    for file in tokenizer.glob("*.json"):
        shutil.copy(file, folder)
    limit = {"max_seq_length": LIMITS[kind], "do_lower_case": False}
    (folder / "sentence_bert_config.json").write_text(json.dumps(limit))
    key = {"cls": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens"}[pooling]
    (folder / "1_Pooling").mkdir()
    pool = {"word_embedding_dimension": width, "pooling_mode_mean_tokens": False, key: True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pool))
    config = json.loads((folder / "config.json").read_text())
    if kind != "bert":
        config = {}
    (folder / "config.json").write_text(json.dumps(config | changes))
    write_safetensors(folder / "model.safetensors", shapes)


if __name__ == "__main__":
    if len(sys.argv) != 6 or sys.argv[3] not in KINDS:
        sys.exit(__doc__)
    random_checkpoint(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:]))
