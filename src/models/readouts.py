"""Readouts: the feature map of a core in, one number a unit out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from src.config import GaussianReadoutConfig
from src.models.layers import exactly, linear
from src.models.sampling import sample_dot
from src.models.sharing import drawn

SMALLEST_MEAN = 1e-3  # of a unit's response, where the inverse of ELU + 1 would leave for -infinity


class Readout(nn.Module, ABC):
    """Interface of all readouts of one session."""

    @abstractmethod
    def forward(self, x: Tensor, shift: Tensor | None = None) -> Tensor:
        """Units before the output nonlinearity: (n, f, h, w), (n, 2) -> (n, u)."""

    @abstractmethod
    def penalty(self) -> Tensor:
        """Regularization: scalar, already multiplied by its weight."""


class GaussianReadout(Readout):
    """Each unit reads the feature map at one point, drawn around its mean in training (spec 5.2).

    y = sum_c f_c x_c(g) + b with g = clamp(mu + A e) + shift; e ~ N(0, I) in training, so that
    Cov(g) = A A^T, and 0 in evaluation. mu is a small network of the unit's soma position, free for
    each unit, or one for all units (Lurz et al. 2021).
    """

    def __init__(
        self,
        config: GaussianReadoutConfig,
        channels: int,
        n_units: int,
        coordinates: ArrayLike | None = None,
        mean_response: ArrayLike | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.config, self.n_units = config, n_units
        generator = generator or torch.Generator().manual_seed(0)
        self._add_position(coordinates, generator)
        self.spread = nn.Parameter(_initial_spread(config, n_units, generator))
        self.features = nn.Parameter(
            torch.full((1 if config.shared_features else n_units, channels), 1 / channels)
        )
        if config.shared_features:
            self.scales = nn.Parameter(torch.ones(n_units, 1))
        self.bias = nn.Parameter(_initial_bias(config, n_units, mean_response))

    def _add_position(self, coordinates: ArrayLike | None, generator: torch.Generator) -> None:
        match self.config.position:
            case "cortex":
                dims = self.config.position_dims
                self.register_buffer("source", normalize_positions(coordinates, dims, self.n_units))
                width = self.config.position_hidden
                hidden, out = linear(dims, width, generator), linear(width, 2, generator)
                if self.config.position_start == "center":
                    nn.init.zeros_(out.weight), nn.init.zeros_(out.bias)
                last = (nn.Tanh(),) if self.config.position_tanh else ()
                self.mu_network = nn.Sequential(hidden, nn.ELU(), out, *last)
            case "free" | "shared" as position:
                rows, limit = (self.n_units if position == "free" else 1), self.config.init_mu_range
                self.free_mu = nn.Parameter(
                    torch.empty(rows, 2).uniform_(-limit, limit, generator=generator)
                )

    @property
    def mu(self) -> Tensor:
        """Mean position of each unit: (u, 2), (x, y) in -1..1."""
        if self.config.position == "cortex":
            return exactly(self.mu_network, self.source)
        with torch.no_grad():
            self.free_mu.clamp_(-1, 1)
        return self.free_mu.expand(self.n_units, -1)

    @property
    def weights(self) -> Tensor:
        """Feature weights: (u, f)."""
        return self.features * self.scales if self.config.shared_features else self.features

    @property
    def covariance_factor(self) -> Tensor:
        """A with Cov(g) = A A^T: (u, 2, 2)."""
        spread = self.spread
        return spread if spread.dim() == 3 else torch.diag_embed(spread.expand(-1, 2))

    def forward(
        self,
        x: Tensor,
        shift: Tensor | None = None,
        generator: torch.Generator | None = None,
        units: Tensor | None = None,
    ) -> Tensor:
        """(n, f, h, w), (n, 2) -> (n, u); `units` (indices) reads only some, in that order.

        Of clips every frame is a map of its own: (n, f, t, h, w), (n, t, 2) -> (n, t, u).
        """
        if x.dim() == 5:
            shift = None if shift is None else shift.flatten(0, 1)
            y = self(x.transpose(1, 2).flatten(0, 1), shift, generator, units)
            return y.unflatten(0, (len(x), -1))
        keep = slice(None) if units is None else torch.as_tensor(units, device=x.device)
        positions = self.positions(len(x), shift, generator, keep)
        c = self.config
        y = sample_dot(x, positions, self.weights[keep], c.align_corners, c.padding)
        return y + self.bias[keep]

    def positions(
        self,
        n: int,
        shift: Tensor | None = None,
        generator: torch.Generator | None = None,
        keep: Tensor | slice = slice(None),
    ) -> Tensor:
        """Where n images are read: (n, u, 2), or (1, u, 2) where all images share the positions."""
        config, g = self.config, self.mu[keep][None]
        if config.sample == "always" or (config.sample == "auto" and self.training):
            draw = partial(_normal, units=g.shape[1], generator=generator, device=g.device)
            noise = drawn(n, draw) if config.sample_per == "image" else draw(1)
            factor = self.covariance_factor[keep]
            g = g + torch.einsum("uij,nuj->nui", factor, noise.to(factor)).to(g)
        if config.clamp == "sample":
            g = g.clamp(-1, 1)
        if shift is not None:
            g = g + shift[:, None]
        return g.clamp(-1, 1) if config.clamp == "after_shift" else g

    def penalty(self) -> Tensor:
        """feature_l1 * sum |f| + covariance_penalty * sum A^2."""
        total = self.config.feature_l1 * self.weights.abs().sum()
        if self.config.covariance_penalty:
            total = total + self.config.covariance_penalty * self.covariance_factor.square().sum()
        return total


def normalize_positions(coordinates: ArrayLike | None, dims: int, n_units: int) -> Tensor:
    """Soma positions for the position network: (u, 3) -> (u, dims), float32 in -1..1.

    Minus the mean of each column, divided by one scalar, the largest absolute value (spec 5.2).
    """
    remedy = "give them, or use GaussianReadoutConfig(position='free')"
    if coordinates is None:
        raise ValueError(f"position='cortex' needs soma coordinates and there are none: {remedy}")
    array = np.asarray(coordinates, dtype=np.float64)
    if array.ndim != 2 or len(array) != n_units or array.shape[1] < dims:
        raise ValueError(f"coordinates are {array.shape}, expected ({n_units}, {dims}): {remedy}")
    centered = array[:, :dims] - array[:, :dims].mean(0)
    if not (scale := np.abs(centered).max(initial=0)) > 0 or not np.isfinite(scale):
        raise ValueError(f"coordinates hold NaN or one single position: {remedy}")
    return torch.from_numpy(centered / scale).float()


def _normal(n: int, units: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
    if generator is None:
        raise ValueError("a readout that samples positions needs a generator: stream(seed, ...)")
    return torch.randn(n, units, 2, generator=generator, device=generator.device).to(device)


def _initial_spread(
    config: GaussianReadoutConfig, n_units: int, generator: torch.Generator
) -> Tensor:
    match config.gauss_type:
        case "full":
            limit = config.init_sigma
            return torch.empty(n_units, 2, 2).uniform_(-limit, limit, generator=generator)
        case "uncorrelated":
            return torch.full((n_units, 2), config.init_sigma)
        case "isotropic":
            return torch.full((n_units, 1), config.init_sigma)


def _initial_bias(
    config: GaussianReadoutConfig, n_units: int, mean_response: ArrayLike | None
) -> Tensor:
    """Start of the bias: 0, the mean response, or what ELU + 1 maps to the mean response."""
    if config.bias_init == "zero":
        return torch.zeros(n_units)
    mean = None if mean_response is None else torch.tensor(np.asarray(mean_response)).float()
    if mean is None or mean.shape != (n_units,):
        found = None if mean is None else tuple(mean.shape)
        need = f"bias_init={config.bias_init!r} needs mean_response ({n_units},)"
        raise ValueError(f"{need}, not {found}: give it, or use bias_init='zero'")
    if config.bias_init == "mean":
        return mean
    mean = mean.clamp(min=SMALLEST_MEAN)
    return torch.where(mean > 1, mean - 1, mean.log())
