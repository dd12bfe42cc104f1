"""Blocks of attention over the patches of an image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

STD = 0.02
"""Standard deviation of initial weights, tokens and positions."""


class Attention(nn.Module):
    """Self-attention of several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, T, width] → [N, T, width]."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.inputs(tokens).chunk(3, dim=-1)
        )
        mixed: Tensor = self.output(
            scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        )
        return mixed


class Block(nn.Module):
    """Attention, then a perceptron four times as wide; each after a norm, each added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.perceptron = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """[N, T, width] → [N, T, width]."""
        tokens = tokens + self.attention(self.norm1(tokens))
        out: Tensor = tokens + self.perceptron(self.norm2(tokens))
        return out


class VisionTransformer(nn.Module):
    """Patches and a class token through blocks; logits from the class token.

    Args:
        shape: (C, H, W) of the images.
        num_classes: K.
        patch: side of a patch, a divisor of H and W.
        width: of a token, a multiple of `heads`.
        heads: of each attention.
        depth: number of blocks.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        num_classes: int,
        patch: int,
        *,
        width: int,
        heads: int,
        depth: int,
    ) -> None:
        super().__init__()
        count = (shape[1] // patch) * (shape[2] // patch)
        self.patches = nn.Conv2d(shape[0], width, patch, stride=patch)
        self.token = nn.Parameter(torch.empty(1, 1, width))
        self.positions = nn.Parameter(torch.empty(1, count + 1, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] → logits [N, K]."""
        patches = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(patches), -1, -1), patches], dim=1)
        logits: Tensor = self.classifier(self.norm(self.blocks(tokens + self.positions)[:, 0]))
        return logits


def initialise(make: Callable[[], VisionTransformer], generator: Generator) -> VisionTransformer:
    """Make the network and set its tensors: norms neutral, biases zero, all else N(0, 0.02²)."""
    with torch.device("meta"):
        network = make()
    network.to_empty(device="cpu")
    for module in network.modules():
        if isinstance(module, nn.LayerNorm):
            module.reset_parameters()
        elif isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.normal_(module.weight, std=STD, generator=generator)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    nn.init.normal_(network.token, std=STD, generator=generator)
    nn.init.normal_(network.positions, std=STD, generator=generator)
    return network
