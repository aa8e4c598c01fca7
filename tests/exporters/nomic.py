"""NomicBERT as a plain PyTorch module: rotary positions, one product for q, k and v, and a SwiGLU feed-forward layer.

The architecture of nomic-embed-text-v1.5, with random weights (transformers needs remote code for it).
"""

from __future__ import annotations

import torch
from torch import nn


def rotate_half(x: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


class Attention(nn.Module):
    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, hidden // heads
        self.qkv = nn.Linear(hidden, 3 * hidden, bias=False)
        self.out = nn.Linear(hidden, hidden, bias=False)
        exponents = torch.arange(0, self.size, 2, dtype=torch.float32) / self.size
        self.register_buffer("frequencies", 1.0 / 1000.0**exponents)

    def forward(self, x: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        batch, length, hidden = x.shape
        qkv = self.qkv(x).view(batch, length, 3, self.heads, self.size)
        angles = torch.outer(torch.arange(length, dtype=torch.float32), self.frequencies)
        angles = torch.cat((angles, angles), dim=-1)[None, :, None, :]
        cos, sin = angles.cos(), angles.sin()
        q, k, v = qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2]
        q = (q * cos + rotate_half(q) * sin).transpose(1, 2)
        k = (k * cos + rotate_half(k) * sin).transpose(1, 2)
        scores = q @ k.transpose(-1, -2) / self.size**0.5 + padding
        context = scores.softmax(-1) @ v.transpose(1, 2)
        return self.out(context.transpose(1, 2).reshape(batch, length, hidden))


class Block(nn.Module):
    def __init__(self, hidden: int, heads: int, inner: int) -> None:
        super().__init__()
        self.attention = Attention(hidden, heads)
        self.norm1, self.norm2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.up = nn.Linear(hidden, inner, bias=False)
        self.gate = nn.Linear(hidden, inner, bias=False)
        self.down = nn.Linear(inner, hidden, bias=False)

    def forward(self, x: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        x = self.norm1(self.attention(x, padding) + x)
        gated = self.up(x) * nn.functional.silu(self.gate(x))
        return self.norm2(self.down(gated) + x)


class NomicBert(nn.Module):
    def __init__(
        self,
        layers: int = 2,
        hidden: int = 64,
        heads: int = 4,
        inner: int = 128,
        vocabulary: int = 40,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, hidden)
        self.types = nn.Embedding(2, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.blocks = nn.ModuleList(Block(hidden, heads, inner) for _ in range(layers))

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        padding = (1.0 - attention_mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        x = self.norm(self.words(input_ids) + self.types(token_type_ids))
        for block in self.blocks:
            x = block(x, padding)
        return x
