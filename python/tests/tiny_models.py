"""Tiny seeded models of every architecture of docs/models.md, in folders as transformers 5 and sentence-transformers 6 save them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

TEXT = (
    "salt wind carries over the harbour while two ferries "
    "wait for late lorries and gulls argue about bread"
)
WORDS = TEXT.split()
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
VOCABULARY = len(SPECIAL) + len(WORDS)
LIMIT = 38  # tokens a text
HIDDEN = 32

SIZES: dict[str, Any] = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "pad_token_id": 1,
}
ROBERTA = {**SIZES, "max_position_embeddings": 42, "type_vocab_size": 1}
GROUPED = {**SIZES, "num_key_value_heads": 2, "head_dim": 8, "bos_token_id": 0, "eos_token_id": 2}
NEAR_AND_FAR = ["sliding_attention", "full_attention", "sliding_attention"]

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "bert": SIZES,
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
    "camembert": ROBERTA,
    "distilbert": {
        "dim": HIDDEN,
        "n_layers": 2,
        "n_heads": 4,
        "hidden_dim": 48,
        "max_position_embeddings": 40,
        "pad_token_id": 1,
    },
    "mpnet": {**SIZES, "max_position_embeddings": 42},
    "nomic_bert": SIZES,
    "modernbert": {
        **SIZES,
        "num_hidden_layers": 3,
        "local_attention": 6,
        "bos_token_id": 0,
        "cls_token_id": 0,
        "eos_token_id": 2,
        "sep_token_id": 2,
    },
    "qwen3": GROUPED,
    "gemma3_text": {
        **GROUPED,
        "num_hidden_layers": 3,
        "layer_types": NEAR_AND_FAR,
        "sliding_window": 4,
        "query_pre_attn_scalar": 8,
    },
}


def texts() -> list[str]:
    """One word, some, and as many as fit; no padding within a batch depends on another text."""
    lengths = (1, 7, LIMIT - 2)
    return [
        " ".join(WORDS[(5 * i + j * (i + 1)) % len(WORDS)] for j in range(n))
        for i, n in enumerate(lengths)
    ]


def write_tokenizer(folder: Path) -> None:
    """A word a token, framed by <s> and </s>."""
    vocabulary = {token: i for i, token in enumerate(SPECIAL + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    frame = [("<s>", 0), ("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=frame
    )
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {
        f"{name}_token": token
        for name, token in zip(("bos", "pad", "eos", "unk", "mask"), SPECIAL, strict=True)
    }
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": LIMIT, **names}
    settings |= {"cls_token": "<s>", "sep_token": "</s>"}
    write_json(folder / "tokenizer_config.json", settings)


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1))


def shaken(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """With weights of such sizes that every part of it shows in the vectors."""
    source = np.random.default_rng(seed)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            values = torch.from_numpy(source.standard_normal(weight.shape).astype(np.float32))
            if weight.ndim == 1 and "norm" in name.lower() and name.endswith("weight"):
                weight.add_(0.2 * values)
            else:
                weight.copy_(0.2 * values)
    return module.eval()


def make_model(architecture: str, folder: Path) -> None:
    """A model folder with modules.json: the transformer, mean pooling, a Dense, a LayerNorm and a Normalize module."""
    folder.mkdir(parents=True)
    write_tokenizer(folder)
    config = transformers.AutoConfig.for_model(
        architecture, vocab_size=VOCABULARY, **ARCHITECTURES[architecture]
    )
    shaken(transformers.AutoModel.from_config(config), 11).save_pretrained(folder)
    prefix = "sentence_transformers."
    modules = [
        ("", "base.modules.transformer.Transformer"),
        ("1_Pooling", "sentence_transformer.modules.pooling.Pooling"),
        ("2_Dense", "base.modules.dense.Dense"),
        ("3_LayerNorm", "sentence_transformer.modules.layer_norm.LayerNorm"),
        ("4_Normalize", "base.modules.normalize.Normalize"),
    ]
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": prefix + kind}
        for i, (path, kind) in enumerate(modules)
    ]
    write_json(folder / "modules.json", listed)
    write_json(
        folder / "1_Pooling" / "config.json",
        {"embedding_dimension": HIDDEN, "pooling_mode": "mean", "include_prompt": True},
    )
    from safetensors.torch import save_file

    dense = shaken(torch.nn.Linear(HIDDEN, 24), 12)
    norm = shaken(torch.nn.LayerNorm(24), 13)
    write_json(
        folder / "2_Dense" / "config.json",
        {
            "in_features": HIDDEN,
            "out_features": 24,
            "bias": True,
            "activation_function": "torch.nn.modules.activation.Tanh",
            "module_input_name": "sentence_embedding",
            "module_output_name": "sentence_embedding",
        },
    )
    save_file(
        {f"linear.{k}": v for k, v in dense.state_dict().items()},
        folder / "2_Dense" / "model.safetensors",
    )
    write_json(folder / "3_LayerNorm" / "config.json", {"dimension": 24})
    save_file(
        {f"norm.{k}": v for k, v in norm.state_dict().items()},
        folder / "3_LayerNorm" / "model.safetensors",
    )
    write_json(folder / "4_Normalize" / "config.json", {})
    write_json(
        folder / "sentence_bert_config.json",
        {
            "transformer_task": "feature-extraction",
            "modality_config": {
                "text": {"method": "forward", "method_output_name": "last_hidden_state"}
            },
            "module_output_name": "token_embeddings",
        },
    )
    write_json(
        folder / "config_sentence_transformers.json",
        {
            "__version__": {"sentence_transformers": "6.2.0"},
            "model_type": "SentenceTransformer",
            "prompts": {"query": "salt ", "document": "", "other": "the harbour "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    )
