"""Vision transformer core: an image as overlapping patches that attend to one another (V1T)."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.config import ViTCoreConfig
from src.models.attention import attend, attention_weights
from src.models.cores import Core, valid_size
from src.models.layers import dense, dropout, linear, truncated


class ViTCore(Core):
    """Core of V1T (spec 5.7, Li et al. 2023): patches, a CLS token, learned positions, blocks.

    Side scalars of any number, published: behavior then pupil, are added to all tokens by a small
    MLP in every block; without them this is the plain ViT. One image size, for the positions. Where
    the specification is silent: biases start at 0, CLS and positions like weights; dropout follows
    every dense layer but q, k and v (Dosovitskiy et al. 2021).
    """

    def __init__(
        self,
        config: ViTCoreConfig,
        image_shape: tuple[int, int, int],
        side: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        c, *size = image_shape
        self.config, self.side, self.channels = config, side, config.width
        self.image_size = tuple(size)
        self.grid = valid_size(self.image_size, config.patch, config.stride)  # (h', w') of tokens
        self.embedding = linear(c * config.patch**2, config.width, generator)
        self.cls = truncated(1, config.width, generator=generator)
        self.positions = truncated(1 + prod(self.grid), config.width, generator=generator)
        self.blocks = nn.ModuleList(Block(config, side, generator) for _ in range(config.blocks))

    def forward(
        self,
        images: Tensor,
        side: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        tokens = self.tokens(images, side)
        if self.training:
            tokens = dropout(tokens, self.config.patch_dropout, generator)
        for block in self.blocks:
            tokens = block(tokens, side, generator)
        return tokens[:, 1:].mT.unflatten(2, self.grid)  # (n, f, h', w') without CLS

    def tokens(self, images: Tensor, side: Tensor | None = None) -> Tensor:
        """CLS, then patches row by row, with their positions: (n, c, h, w) -> (n, t, f)."""
        expected = (len(images), self.side)
        if expected != (found := (len(images), 0) if side is None else tuple(side.shape)):
            raise ValueError(f"side scalars are {found}, the core was built for {expected}")
        patches = F.unfold(images, self.config.patch, stride=self.config.stride).mT
        cls = self.cls.expand(len(images), -1, -1)
        return torch.cat([cls, self.embedding(patches)], 1) + self.positions

    def attention(self, images: Tensor, side: Tensor | None = None) -> Iterator[Tensor]:
        """Attention weights of each block without dropout, CLS first: -> (n, heads, t, t) each."""
        tokens = self.tokens(images, side)
        for block in self.blocks:
            yield block.weights(tokens, side)
            tokens = block(tokens, side)

    def penalty(self) -> Tensor:
        return self.config.penalty * sum(p.abs().sum() for p in self.parameters())

    def output_shape(self, height: int, width: int) -> tuple[int, int]:
        if (height, width) != self.image_size:
            raise ValueError(
                f"images are {(height, width)}, but the positions of this ViT core were built for "
                f"{self.image_size}: bring all sessions to one image size"
            )
        return self.grid


class Block(nn.Module):
    """Side scalars to all tokens, attention, MLP: (n, t, f), (n, s) -> (n, t, f)."""

    def __init__(self, config: ViTCoreConfig, side: int, generator: torch.Generator) -> None:
        super().__init__()
        width, inner = config.width, config.heads * config.head_width
        self.config = config
        if side:
            self.side = nn.Sequential(
                *(dense(side, config.side_hidden, generator), nn.Tanh()),
                *(dense(config.side_hidden, width, generator), nn.Tanh()),
            )
        self.norm = nn.LayerNorm(width)
        self.qkv = dense(width, 3 * inner, generator, bias=False)
        self.out = dense(inner, width, generator)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp_in = dense(width, config.hidden, generator)
        self.mlp_out = dense(config.hidden, width, generator)

    def forward(
        self, x: Tensor, side: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        share = self.config.dropout if self.training else 0.0
        x = self._told(x, side)
        y = attend(*self._heads(x), share, generator).transpose(1, 2).flatten(2)
        x = x + dropout(self.out(y), share, generator)
        y = dropout(F.gelu(self.mlp_in(self.mlp_norm(x))), share, generator)
        return x + dropout(self.mlp_out(y), share, generator)

    def weights(self, x: Tensor, side: Tensor | None = None) -> Tensor:
        """Whom each token attends to: (n, t, f), (n, s) -> (n, heads, t, t), rows sum to 1."""
        q, k, _ = self._heads(self._told(x, side))
        return attention_weights(q, k)

    def _told(self, x: Tensor, side: Tensor | None) -> Tensor:
        return x if side is None else x + self.side(side)[:, None]

    def _heads(self, x: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values: (n, t, f) -> (n, heads, t, d) three times."""
        qkv = self.qkv(self.norm(x)).unflatten(2, (3, self.config.heads, -1))
        return qkv.permute(2, 0, 3, 1, 4).unbind()
