"""all-MiniLM-L6-v2 as PyTorch's two exporters write it."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModel, AutoTokenizer

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


class LastHidden(torch.nn.Module):
    """The encoder with one output."""

    def __init__(self, attention: str) -> None:
        super().__init__()
        self.model = AutoModel.from_pretrained(MODEL, attn_implementation=attention).eval()

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state


def example() -> tuple[torch.Tensor, ...]:
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    feed = tokenizer(["hello world", "a longer example"], padding=True, return_tensors="pt")
    return tuple(feed[name] for name in INPUTS)


def export(exporter: str, path: Path, attention: str, opset: int) -> None:
    """`exporter`: "legacy" (TorchScript) or "dynamo"."""
    free = {0: "batch", 1: "sequence"}
    axes: dict[str, object] = (
        {"dynamic_axes": dict.fromkeys([*INPUTS, "last_hidden_state"], free)}
        if exporter == "legacy"
        else {"dynamic_shapes": (free,) * 3}
    )
    torch.onnx.export(
        LastHidden(attention),
        example(),
        str(path),
        dynamo=exporter == "dynamo",
        opset_version=opset,
        input_names=INPUTS,
        output_names=["last_hidden_state"],
        **axes,
    )
