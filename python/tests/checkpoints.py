"""Small checkpoints of each architecture with seeded random weights, as their makers publish them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import nomic
from texts import passages

WORDS = 300
LAYERS, HIDDEN, HEADS, INNER = 3, 64, 4, 96

COMMON = {
    "vocab_size": WORDS,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": INNER,
}


@dataclass
class Family:
    """What makes a checkpoint: transformers' configuration, and how texts are pooled."""

    model_type: str
    limit: int  # tokens a text
    pooling: str
    pad: int = 0
    settings: dict[str, Any] = field(default_factory=dict)


ROBERTA = {**COMMON, "max_position_embeddings": 66, "pad_token_id": 1, "type_vocab_size": 1}
NOMIC_CONFIG = {
    "model_type": "nomic_bert",
    "architectures": ["NomicBertModel"],
    "vocab_size": WORDS - 3,
    "pad_vocab_size_multiple": 4,
    "n_embd": HIDDEN,
    "n_head": HEADS,
    "n_layer": LAYERS,
    "n_inner": INNER,
    "n_positions": 500,
    "rotary_emb_base": 1000,
    "rotary_emb_fraction": 1.0,
    "rotary_emb_interleaved": False,
    "rotary_emb_scale_base": None,
    "rotary_scaling_factor": None,
    "activation_function": "swiglu",
    "qkv_proj_bias": False,
    "mlp_fc1_bias": False,
    "mlp_fc2_bias": False,
    "prenorm": False,
    "use_rms_norm": False,
    "parallel_block": False,
    "causal": False,
    "type_vocab_size": 2,
    "layer_norm_epsilon": 1e-5,
}
FAMILIES = {
    "bert": Family("bert", 64, "cls", 0, {**COMMON, "max_position_embeddings": 64}),
    "roberta": Family("roberta", 64, "mean", 1, ROBERTA),
    "xlm_roberta": Family("xlm-roberta", 64, "cls", 1, ROBERTA),
    "distilbert": Family(
        "distilbert",
        64,
        "mean",
        0,
        {
            "vocab_size": WORDS,
            "dim": HIDDEN,
            "n_layers": LAYERS,
            "n_heads": HEADS,
            "hidden_dim": INNER,
            "max_position_embeddings": 64,
        },
    ),
    "mpnet": Family(
        "mpnet", 340, "mean", 1, {**COMMON, "max_position_embeddings": 342, "pad_token_id": 1}
    ),
    "mpnet_short": Family(
        "mpnet", 30, "mean", 1, {**COMMON, "max_position_embeddings": 32, "pad_token_id": 1}
    ),
    "modernbert": Family(
        "modernbert",
        500,
        "cls",
        0,
        {
            **COMMON,
            "max_position_embeddings": 500,
            "local_attention": 24,
            "global_attn_every_n_layers": 3,
            "pad_token_id": 0,
            "num_hidden_layers": 5,
            "reference_compile": False,
        },
    ),
    "qwen3": Family(
        "qwen3",
        400,
        "lasttoken",
        0,
        {
            **COMMON,
            "num_key_value_heads": 2,
            "head_dim": 24,
            "max_position_embeddings": 400,
            "rope_theta": 1000000.0,
            "pad_token_id": 0,
        },
    ),
    "nomic": Family("nomic_bert", 500, "mean", 0, NOMIC_CONFIG),
    "gemma3": Family(
        "gemma3_text",
        400,
        "mean",
        0,
        {
            **COMMON,
            "num_hidden_layers": 4,
            "num_key_value_heads": 1,
            "head_dim": 24,
            "query_pre_attn_scalar": 20,
            "max_position_embeddings": 400,
            "sliding_window": 25,
            "layer_types": [*["sliding_attention"] * 2, "full_attention", "sliding_attention"],
            "use_bidirectional_attention": True,
        },
    ),
}
NOMIC_NAMES = {
    "words.": "embeddings.word_embeddings.",
    "types.": "embeddings.token_type_embeddings.",
    "norm.": "emb_ln.",
    "blocks.": "encoder.layers.",
    "attention.qkv": "attn.Wqkv",
    "attention.out": "attn.out_proj",
    ".up.": ".mlp.fc11.",
    ".gate.": ".mlp.fc12.",
    ".down.": ".mlp.fc2.",
}


def enlarge(model: torch.nn.Module) -> None:
    """Weights larger than the usual start, so that every part of the model matters."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 1 and "norm" in name.lower() and name.endswith("weight"):
                weight.add_(0.2 * torch.randn_like(weight))
            else:
                weight.copy_(0.15 * torch.randn_like(weight))


def make_tokenizer(family: Family, folder: Path, framed: bool = True) -> None:
    """The passages' most frequent words, one token each. `framed`: with a token before (not for Qwen3) and after."""
    special = ["<unk>", "<s>", "</s>"]
    special.insert(family.pad, "<pad>")
    counts = Counter(word for text in passages() for word in text.split())
    words = [word for word, _ in counts.most_common(WORDS - 8)]
    vocabulary = {word: i for i, word in enumerate([*special, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if framed:
        before = "" if family.model_type == "qwen3" else "<s> "
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{before}$A </s>",
            pair=f"{before}$A </s> $B:1 </s>:1",
            special_tokens=[(token, vocabulary[token]) for token in ("<s>", "</s>")],
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast"}  # as it is: no class makes such a one
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def write_modules(family: Family, folder: Path, dense: bool = False) -> None:
    prefix = "sentence_transformers.models."
    kinds = ["Transformer", "Pooling", *(["Dense"] if dense else []), "Normalize"]
    modules = [
        {
            "idx": i,
            "name": str(i),
            "path": "" if i == 0 else f"{i}_{kind}",
            "type": prefix + kind,
        }
        for i, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    key = {"cls": "cls_token", "mean": "mean_tokens", "lasttoken": "lasttoken"}[family.pooling]
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{key}": True}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": family.limit}))


def write_dense(folder: Path, width: int) -> torch.nn.Linear:
    """A Dense module from HIDDEN to `width` values, with tanh."""
    torch.manual_seed(3)
    dense = torch.nn.Linear(HIDDEN, width)
    folder.mkdir()
    settings = {
        "in_features": HIDDEN,
        "out_features": width,
        "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
    }
    (folder / "config.json").write_text(json.dumps(settings))
    state = {f"linear.{name}": value for name, value in dense.state_dict().items()}
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    return dense


def make_model(family: Family, folder: Path) -> torch.nn.Module:
    """The random model, its config.json and its tensors."""
    torch.manual_seed(11)
    if family.model_type == "nomic_bert":
        sizes = (family.settings[name] for name in ("n_layer", "n_embd", "n_head", "n_inner"))
        module = nomic.NomicBert(*sizes, WORDS).eval()
        enlarge(module)
        state = {}
        for name, value in module.state_dict().items():
            if name.endswith("frequencies"):
                continue
            for ours, theirs in NOMIC_NAMES.items():
                if ours == "norm." and not name.startswith("norm."):
                    continue
                name = name.replace(ours, theirs)
            state[name] = value.contiguous()
        save_file(state, folder / "model.safetensors", {"format": "pt"})
        (folder / "config.json").write_text(json.dumps(family.settings))
        return module
    config = transformers.AutoConfig.for_model(family.model_type, **family.settings)
    model = transformers.AutoModel.from_config(config, attn_implementation="eager").eval()
    enlarge(model)
    model.save_pretrained(folder)
    if "sliding_window" in family.settings:  # Gemma 3's configuration halves it when it is made
        written = json.loads((folder / "config.json").read_text())
        written["sliding_window"] = family.settings["sliding_window"]
        (folder / "config.json").write_text(json.dumps(written))
    return model


def make(family: Family, folder: Path, framed: bool = True) -> torch.nn.Module:
    folder.mkdir(parents=True, exist_ok=True)
    make_tokenizer(family, folder, framed)
    write_modules(family, folder)
    return make_model(family, folder)


def make_checkpoint(name: str, folder: Path) -> torch.nn.Module:
    return make(FAMILIES[name], folder)


def sample_texts(family: Family) -> list[str]:
    """Real words, of lengths from none to more than the model takes, and some with the padding token as text."""
    words = " ".join(passages()).split()
    lengths = [0, 1, 2, 3, 5, 8, 13, 21, 34, family.limit - 3, family.limit - 2, family.limit + 9]
    plain = [" ".join(words[7 * i : 7 * i + n]) for i, n in enumerate(lengths)]
    return [*plain, f"<pad> <pad> {plain[3]}", f"{plain[4]} <pad> {plain[5]} <pad>"]


def feeds(family: Family, folder: Path, texts: list[str]) -> dict[str, np.ndarray]:
    """Padded on the right."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(family.limit)
    tokenizer.enable_padding(pad_id=family.pad, pad_token="<pad>")
    rows = tokenizer.encode_batch(texts)
    ids = np.array([row.ids for row in rows], np.int64)
    mask = np.array([row.attention_mask for row in rows], np.int64)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def pool(family: Family, hidden: np.ndarray, mask: np.ndarray) -> np.ndarray:
    if family.pooling == "cls":
        return hidden[:, 0]
    if family.pooling == "lasttoken":
        return hidden[np.arange(len(hidden)), mask.sum(1) - 1]
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)


def torch_hidden(model: torch.nn.Module, inputs: dict[str, np.ndarray]) -> np.ndarray:
    with torch.no_grad():
        given = {name: torch.from_numpy(value) for name, value in inputs.items()}
        if isinstance(model, nomic.NomicBert):
            return model(**given).numpy()
        if "token_type_ids" not in model.forward.__code__.co_varnames:
            del given["token_type_ids"]
        return model(**given).last_hidden_state.numpy()
