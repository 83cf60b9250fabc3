"""Hierarchical Gaussian readout of Dynamic-VFM: units, and groups of 2, 4, 8, 16 of them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from src.models.layers import linear
from src.models.readouts import GaussianReadout, Readout
from src.models.sampling import sample_dot
from src.parts import HierarchicalReadoutConfig

HIDDEN = {2: 32, 4: 64, 8: 128, 16: 256}  # of the scalar map of a level, by units a group


class HierarchicalReadout(Readout):
    """A Gaussian readout, to which groups of units add what they read at one of their positions.

    Groups of g units have n = floor(u / g) tables of features; unit j belongs to group floor(j n /
    u). What a group reads passes a small scalar map. The levels are averaged, or weighted by gates
    that each clip sets (specification sensorium2023, 5.5). Without levels: a Gaussian readout.
    """

    def __init__(
        self,
        config: HierarchicalReadoutConfig,
        channels: int,
        n_units: int,
        coordinates: ArrayLike | None,
        mean_response: ArrayLike | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        known = channels, n_units, coordinates, mean_response, generator
        self.config, self.n_units, self.point = config, n_units, GaussianReadout(config, *known)
        if n_units < max(config.levels, default=1):
            raise ValueError(f"{n_units} units make no group of levels={config.levels}: use fewer")
        order = unit_order(config.grouping, n_units, coordinates, generator)
        self.tables, self.maps = nn.ParameterDict(), nn.ModuleDict()
        for size in config.levels:
            groups, name = n_units // size, str(size)
            self.tables[name] = nn.Parameter(torch.full((groups, channels), 1 / channels))
            self.maps[name] = ScalarMap(HIDDEN[size], generator)
            self.register_buffer(f"group{size}", group_of(order, groups), persistent=False)
            members = member_of(order, groups, config.index_map)
            self.register_buffer(f"member{size}", members, persistent=False)
        if config.fusion == "gated" and config.levels:
            self.gates = Gates(1 + len(config.levels), generator)

    @property
    def mu(self) -> Tensor:
        """Mean position of each unit: (u, 2), (x, y) in -1..1."""
        return self.point.mu

    @property
    def bias(self) -> Tensor:
        """Of each unit: (u,)."""
        return self.point.bias

    def forward(
        self,
        x: Tensor,
        shift: Tensor | None = None,
        generator: torch.Generator | None = None,
        units: Tensor | None = None,
    ) -> Tensor:
        """Clips (n, f, t, h, w), (n, t, 2) -> (n, t, u); `units` shows some, in that order."""
        n, _, t = x.shape[:3]
        levels = self.levels(x, shift, generator)
        y = self.fused(levels, self._kept(generator)).view(n, t, self.n_units)
        return y if units is None else y[..., units]

    def subsets(self, x: Tensor, shift: Tensor | None = None) -> dict[tuple[int, ...], Tensor]:
        """What each subset of the levels says, all from one reading: -> (n, t, u) each."""
        levels, sizes, found = self.levels(x, shift), self.config.levels, {}
        for some in (s for k in range(len(sizes) + 1) for s in combinations(sizes, k)):
            kept = torch.tensor([1.0, *(float(size in some) for size in sizes)])
            found[some] = self.fused(levels, kept.to(levels[0]))
        return found

    def fused(self, levels: list[Tensor], kept: Tensor | None = None) -> Tensor:
        """Levels (n, t, u) as one, bias included; `kept` (l,) is 0 for those to do without."""
        weights = self.weights(levels, kept)
        return sum(x * w for x, w in zip(levels, weights, strict=True)) + self.bias

    def _kept(self, generator: torch.Generator | None) -> Tensor | None:
        """1 for each level of a training step, 0 for those left out by chance; never the units."""
        if not (self.training and self.config.level_dropout):
            return None
        if generator is None:
            raise ValueError("level_dropout needs a generator: stream(seed, ...)")
        drawn = torch.rand(len(self.config.levels), generator=generator, device=generator.device)
        return F.pad((drawn >= self.config.level_dropout).to(self.bias), (1, 0), value=1.0)

    def levels(
        self, x: Tensor, shift: Tensor | None, generator: torch.Generator | None = None
    ) -> list[Tensor]:
        """What units and then the groups of each level contribute: (n, t, u) each.

        All levels are read at once. A scalar map acts on a group before its units get the value,
        which is the same and cheaper.
        """
        c, n, maps = self.config, len(x), x.transpose(1, 2).flatten(0, 1)
        shift = None if shift is None else shift.flatten(0, 1)
        positions = self.point.positions(len(maps), shift, generator)
        members = [getattr(self, f"member{size}") for size in c.levels]
        chosen = torch.cat([torch.arange(self.n_units, device=x.device), *members])
        weights = torch.cat([self.point.weights, *(self.tables[str(s)] for s in c.levels)])
        y = sample_dot(maps, positions[:, chosen], weights, c.align_corners, c.padding)
        units, *groups = y.split([self.n_units, *map(len, members)], 1)
        found = [units.unflatten(0, (n, -1))]
        for size, group in zip(c.levels, groups, strict=True):
            mapped = self.maps[str(size)](group)[:, getattr(self, f"group{size}")]
            found.append(mapped.unflatten(0, (n, -1)))
        return found

    def weights(self, levels: list[Tensor], kept: Tensor | None = None) -> list[Tensor | float]:
        """Weight of each level: one over their number, or (n, 1, 1) of each clip.

        Those that are not `kept` (l,) have weight 0, and gates see 0 in their place.
        """
        if len(levels) == 1 or self.config.fusion == "mean":
            return [1 / len(levels)] * len(levels) if kept is None else list(kept / kept.sum())
        means = torch.stack([level.mean((1, 2)) for level in levels], 1)
        gates = self.gates(means) if kept is None else kept * self.gates(kept * means)
        return list(gates.T[:, :, None, None])

    def penalty(self) -> Tensor:
        total = self.point.penalty()
        if self.config.feature_l1:
            more = sum(table.abs().sum() for table in self.tables.values())
            total = total + self.config.feature_l1 * more
        return total


class ScalarMap(nn.Module):
    """sum_h c_h elu(a_h v + b_h) of every value: (...) -> (...); backward computes it again."""

    def __init__(self, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.inner, self.outer = linear(1, hidden, generator), linear(hidden, 1, generator)
        self.outer.bias = None

    def forward(self, v: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return checkpoint(self._map, v, use_reentrant=False, preserve_rng_state=False)
        return self._map(v)

    def _map(self, v: Tensor) -> Tensor:
        return self.outer(F.elu(self.inner(v[..., None])))[..., 0]


class Gates(nn.Module):
    """sigmoid(V2 relu(V1 m)), a weight for each level of a clip from their means: (n, l) same."""

    def __init__(self, levels: int, generator: torch.Generator) -> None:
        super().__init__()
        self.inner, self.outer = (linear(levels, levels, generator) for _ in range(2))

    def forward(self, means: Tensor) -> Tensor:
        return torch.sigmoid(self.outer(F.relu(self.inner(means))))


def unit_order(
    grouping: str, n_units: int, coordinates: ArrayLike | None, generator: torch.Generator
) -> Tensor:
    """Units in the order in which neighbors make groups: -> (u,) int64.

    By number, as published; by place in cortex, which is cut in two along its longer side again
    and again; or at random, as a control.
    """
    if grouping == "index":
        return torch.arange(n_units)
    if grouping == "random":
        return torch.randperm(n_units, generator=generator)
    if coordinates is None:
        raise ValueError("grouping='cortex' needs soma coordinates and there are none")
    return torch.from_numpy(_bisected(np.asarray(coordinates, np.float64), np.arange(n_units)))


def _bisected(places: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Units sorted so that neighbors in the list are neighbors in space: (u, 3), (k,) -> (k,)."""
    if len(units) < 3:
        return units
    axis = np.ptp(places[units], axis=0).argmax()
    units = units[np.argsort(places[units, axis], kind="stable")]
    middle = 2 ** int(np.ceil(np.log2(len(units))) - 1)  # so that groups of 16 stay whole
    return np.concatenate([_bisected(places, part) for part in np.split(units, [middle])])


def group_of(order: Tensor, groups: int) -> Tensor:
    """The group of each unit: (u,) -> (u,) int64."""
    found = torch.empty_like(order)
    found[order] = torch.arange(len(order)) * groups // len(order)
    return found


def member_of(order: Tensor, groups: int, index_map: str) -> Tensor:
    """The unit whose position each group is read at: (u,) -> (groups,) int64."""
    n, group = len(order), torch.arange(groups)
    match index_map:
        case "first":  # of the units j with floor(j groups / n) = group
            place = -(-group * n // groups)
        case "division":
            place = group * n // groups
        case "nearest":
            place = (group.float() * (torch.tensor(float(n)) / groups).float()).long()
    return order[place]
