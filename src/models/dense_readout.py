"""Dense readout: each unit weighs one hidden layer that sees the whole feature map."""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from src.config import ConvCoreConfig, DenseReadoutConfig
from src.models.cores import ConvCore
from src.models.layers import dropout, linear
from src.models.normalization import BatchNorm
from src.models.readouts import Readout
from src.models.sharing import places


class DenseReadout(Readout):
    """Flattened map -> hidden layer, ReLU -> units; without a hidden layer, map -> units.

    Source: macaque_it specification, section 5. Blocks as in ConvCore may come first. Batch norm
    and dropout of the hidden layer, before and after its ReLU, are options. Initial weights are
    PyTorch's. Nothing is penalized here: weight decay is an option of training.
    """

    def __init__(
        self,
        config: DenseReadoutConfig,
        map_shape: tuple[int, int, int],
        n_units: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if not config.hidden and (config.batch_norm or config.dropout):
            raise ValueError(f"{config}: batch norm and dropout need a hidden layer")
        self.config, self.map_shape = config, tuple(map_shape)  # (f, h, w)
        self.blocks = ConvCore(ConvCoreConfig(config.channels), map_shape[0], generator)
        values = self.blocks.channels * prod(self.blocks.output_shape(*map_shape[1:]))
        if config.hidden:
            self.hidden = linear(values, config.hidden, generator)
        if config.batch_norm:
            self.norm = BatchNorm(config.hidden, momentum=0.1, linear=True)
        self.out = linear(config.hidden or values, n_units, generator)

    def forward(
        self,
        x: Tensor,
        shift: Tensor | None = None,
        generator: torch.Generator | None = None,
        units: Tensor | None = None,
    ) -> Tensor:
        """(n, f, h, w) -> (n, u); `units` (indices) reads only some, in that order."""
        if shift is not None:
            raise ValueError("a dense readout has no positions to shift: use shifter=False")
        if tuple(x.shape[1:]) != self.map_shape:
            found = tuple(x.shape[1:])
            raise ValueError(f"feature map is {found}, the readout is built for {self.map_shape}")
        x = self.blocks(x).flatten(1)
        if self.config.hidden:
            x = self._hidden(x, generator)
        keep = slice(None) if units is None else torch.as_tensor(units, device=x.device)
        return F.linear(x, self.out.weight[keep], self.out.bias[keep])

    def _hidden(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Values of the hidden layer: (n, f h w) -> (n, hidden)."""
        x = self.hidden(x)
        if self.config.batch_norm:
            if self.training and places(len(x))[1] < 2:
                raise ValueError("batch norm cannot train on 1 trial: change the batch size")
            x = self.norm(x[:, :, None, None])[:, :, 0, 0]
        return dropout(x.relu(), self.config.dropout if self.training else 0.0, generator)

    def penalty(self) -> Tensor:
        return self.out.bias.new_zeros(())
