"""Values that a key of config.json may be changed to."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

ABSENT = object()

# Keys that aren't in what transformers 5 saves, but that it or its forerunners know.
FURTHER: dict[str, list[Any]] = {
    "position_embedding_type": ["absolute", "relative_key", "rotary"],
    "is_decoder": [True],
    "is_causal": [False, True],
    "add_cross_attention": [True],
    "use_bidirectional_attention": [True],
    "attn_logit_softcapping": [5.0],
    "final_logit_softcapping": [5.0],
    "sliding_window": [4],
    "use_sliding_window": [True],
    "max_window_layers": [1],
    "partial_rotary_factor": [0.5],
    "rope_theta": [77.0],
    "rope_scaling": [{"rope_type": "linear", "factor": 2.0}],
    "global_rope_theta": [77.0],
    "local_rope_theta": [77.0],
    "rope_local_base_freq": [77.0],
    "layer_norm_eps": [0.1],
    "norm_eps": [0.5],
    "rms_norm_eps": [0.5],
    "embedding_size": [24],
    "pruned_heads": [{"0": [1]}],
    "hidden_act": ["silu", "quick_gelu"],
    "hidden_activation": ["relu"],
    "attention_bias": [True],
    "num_key_value_heads": [1],
    "sliding_window_pattern": [2],
    "_sliding_window_pattern": [2],
    "global_attn_every_n_layers": [1, 2],
    "local_attention": [4],
    "num_labels": [3],
    "use_cache": [False],
    "max_length": [7],
    "torch_dtype": ["float16"],
    "tokenizer_class": ["BertTokenizerFast"],
    "n_embd": [48],
    "rotary_emb_base": [77],
    "num_experts": [2],
    "quantization_config": [{"quant_method": "bitsandbytes", "load_in_8bit": True}],
}
ACTIVATIONS = [
    "gelu",
    "gelu_new",
    "gelu_pytorch_tanh",
    "relu",
    "silu",
    "swish",
    "tanh",
    "quick_gelu",
    "mish",
]
LEFT_OUT = {"model_type", "architectures", "transformers_version", "id2label", "label2id"}


def others(key: str, value: Any) -> list[Any]:
    """Values of the same kind that differ from `value`."""
    if key in ("hidden_act", "hidden_activation", "activation", "classifier_activation"):
        return [name for name in ACTIVATIONS if name != value]
    if key == "rope_parameters":
        return list(_ropes(value))
    if key == "layer_types":
        return [
            ["full_attention"] * len(value),
            ["sliding_attention"] * len(value),
            value[::-1],
            value[:-1],
        ]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value * 2, 0, 1]
    if isinstance(value, float):
        return [value * 10 + 0.1, 0.0, value + 0.5]
    if value is None:
        return [True, 2, 0.5]
    return []


def _ropes(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    nested = any(isinstance(each, dict) for each in value.values())
    for change in (
        {"rope_theta": 77.0},
        {"rope_type": "linear", "factor": 2.0},
        {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 20},
        {"rope_type": "dynamic", "factor": 2.0},
        {"partial_rotary_factor": 0.5},
    ):
        if not nested:
            yield {**value, **change}
            continue
        for kind in value:
            yield {**copy.deepcopy(value), kind: {**value[kind], **change}}
