"""Hierarchical readout: each level against sums written out, groups, maps between them, memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from src.models.hierarchical_readout import HierarchicalReadout, group_of, member_of, unit_order
from src.models.readouts import GaussianReadout
from src.parts import HierarchicalReadoutConfig
from src.seeds import stream

UNITS = 37
COORDINATES = np.random.default_rng(0).uniform(0, 600, (UNITS, 3))


def made(units=UNITS, coordinates=COORDINATES, **options):
    """A readout with nothing degenerate, and clips with shifts to read."""
    config = HierarchicalReadoutConfig(bias_init="zero", **options)
    readout = HierarchicalReadout(config, 3, units, coordinates, None, stream(0, "readout"))
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in readout.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=random))
    readout = readout.double().eval()
    x = torch.randn(2, 3, 4, 5, 6, generator=random, dtype=torch.float64)
    return readout, x, 0.1 * torch.randn(2, 4, 2, generator=random, dtype=torch.float64)


def written_out(readout, x, shift, index_map):
    """The levels of spec 5.5, unit by unit."""
    maps, n = x.transpose(1, 2).flatten(0, 1), readout.n_units
    grid = readout.mu.clamp(-1, 1)[None] + shift.flatten(0, 1)[:, None]
    read = F.grid_sample(maps, grid[:, :, None], align_corners=True)[..., 0]  # (maps, f, u)
    levels = [torch.einsum("nfu,uf->nu", read, readout.point.features)]
    for size, table in readout.tables.items():
        groups = n // int(size)
        first = [min(j for j in range(n) if j * groups // n == i) for i in range(groups)]
        rho = first if index_map == "first" else [i * n // groups for i in range(groups)]
        y = torch.einsum("nfg,gf->ng", read[:, :, rho], table)
        up = y[:, [j * groups // n for j in range(n)]]
        r = readout.maps[size]
        levels.append(F.elu(up[..., None] @ r.inner.weight.T + r.inner.bias) @ r.outer.weight[0])
    return [level.unflatten(0, (2, 4)) for level in levels]


@pytest.mark.parametrize("index_map", ["first", "division", "nearest"])
@pytest.mark.parametrize(
    ("levels", "fusion"), [((2, 4, 8, 16), "mean"), ((2, 8), "gated"), ((), "mean")]
)
def test_levels_and_their_fusion_are_the_written_out_ones(levels, fusion, index_map):
    readout, x, shift = made(levels=levels, fusion=fusion, index_map=index_map)
    expected = written_out(readout, x, shift, index_map)
    for a, b in zip(readout.levels(x, shift), expected, strict=True):
        torch.testing.assert_close(a, b)
    stacked = torch.stack(expected, 1)  # (n, l, t, u)
    if fusion == "gated":
        gates = readout.gates
        means = stacked.mean((2, 3))
        a = torch.sigmoid(
            F.relu(means @ gates.inner.weight.T + gates.inner.bias) @ gates.outer.weight.T
            + gates.outer.bias
        )
        total = (stacked * a[:, :, None, None]).sum(1)
    else:
        total = stacked.mean(1)
    torch.testing.assert_close(readout(x, shift), total + readout.bias)


def test_without_levels_it_is_a_gaussian_readout():
    readout, x, shift = made(levels=())
    plain = GaussianReadout(readout.config, 3, UNITS, COORDINATES, None, stream(0, "readout"))
    plain = plain.double().eval()
    plain.load_state_dict(readout.point.state_dict())
    torch.testing.assert_close(readout(x, shift), plain(x, shift))
    folded = x.transpose(1, 2).flatten(0, 1), shift.flatten(0, 1)
    torch.testing.assert_close(plain(x, shift).flatten(0, 1), plain(*folded))


def test_only_the_levels_asked_for_have_tables_and_a_subset_of_units_sees_all_levels():
    readout, x, shift = made(levels=(4, 16), fusion="gated")
    assert list(readout.tables) == ["4", "16"] and readout.gates.inner.weight.shape == (3, 3)
    assert readout.tables["4"].shape == (9, 3)
    units = torch.tensor([5, 0, 36])
    torch.testing.assert_close(readout(x, shift, units=units), readout(x, shift)[..., units])
    torch.testing.assert_close(readout(x), readout(x, torch.zeros_like(shift)))  # without a shifter


def test_units_in_another_order_are_read_the_same():
    order = np.random.default_rng(2).permutation(UNITS)
    readout, x, shift = made(levels=())
    other, *_ = made(levels=(), coordinates=COORDINATES[order])
    state = {k: v[order] if v.shape[:1] == (UNITS,) else v for k, v in readout.state_dict().items()}
    other.load_state_dict(state)
    torch.testing.assert_close(other(x, shift), readout(x, shift)[..., order])


def test_positions_are_drawn_in_training_and_shared_by_levels():
    readout, x, shift = made(levels=(2,))
    readout.train()
    drawn = [readout(x, shift, torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    with pytest.raises(ValueError, match="needs a generator"):
        readout(x, shift)


@pytest.mark.parametrize("n", [37, 7440, 7671, 7863, 7939, 8285])
def test_published_index_maps_differ_where_they_are_known_to(n):
    """Differences of rounding and of groups that read in the group before (specification 5.5)."""
    order, known = (
        torch.arange(n),
        {(8285, 2): 3, (8285, 4): 1, (7671, 2): 2, (7863, 2): 1, (7939, 2): 1},
    )
    for size in (2, 4, 8, 16):
        groups = n // size
        division, nearest = (member_of(order, groups, kind) for kind in ("division", "nearest"))
        if n > 37:
            assert int((division != nearest).sum()) == known.get((n, size), 0)
        first = member_of(order, groups, "first")
        assert torch.equal(group_of(order, groups)[first], torch.arange(groups))
        if n % size:
            before = group_of(order, groups)[division] == torch.arange(groups) - 1
            assert before[1:].float().mean() > 0.9


def test_groups_in_cortex_are_nearer_than_groups_by_number_or_at_random():
    def spread(grouping):
        groups = group_of(unit_order(grouping, UNITS, COORDINATES, stream(0, "order")), UNITS // 4)
        parts = [COORDINATES[groups == g] for g in range(UNITS // 4)]
        return np.mean([np.linalg.norm(p - p.mean(0), axis=1).mean() for p in parts])

    orders = {
        g: unit_order(g, UNITS, COORDINATES, stream(0, "order")) for g in ("cortex", "random")
    }
    assert all(sorted(o.tolist()) == list(range(UNITS)) for o in orders.values())
    assert spread("cortex") < 0.75 * min(spread("index"), spread("random"))
    with pytest.raises(ValueError, match="needs soma coordinates"):
        unit_order("cortex", UNITS, None, stream(0, "order"))


@pytest.mark.parametrize("kind", ["full", "uncorrelated", "isotropic"])
def test_kinds_of_gaussians_and_positions(kind):
    readout, x, shift = made(gauss_type=kind, position_dims=3, levels=(2,))
    assert readout(x, shift).shape == (2, 4, UNITS)
    free, x, shift = made(position="free", levels=(2,), sample="never")
    assert torch.equal(free.train()(x, shift), free.eval()(x, shift))
    with pytest.raises(ValueError, match="make no group"):
        made(units=3, coordinates=COORDINATES[:3])
    sparse = made(levels=(2,))[0]
    l1 = sum(p.abs().sum() for p in (sparse.point.features, *sparse.tables.values()))
    config = replace(sparse.config, feature_l1=2.0)
    sparse.config = sparse.point.config = config
    assert sparse.penalty().item() == pytest.approx(2 * l1.item())


@pytest.mark.parametrize("fusion", ["mean", "gated"])
def test_one_reading_gives_what_readouts_of_each_subset_would(fusion):
    """With levels averaged: the readouts built for the subset; with gates: gates that see zeros."""
    readout, x, shift = made(levels=(2, 4, 8), fusion=fusion)
    found = readout.subsets(x, shift)
    assert list(found) == [(), (2,), (4,), (8,), (2, 4), (2, 8), (4, 8), (2, 4, 8)]
    torch.testing.assert_close(found[2, 4, 8], readout(x, shift))
    state = readout.state_dict()
    for levels, y in found.items():
        small, *_ = made(levels=levels, fusion="mean")
        own = {k: v for k, v in state.items() if k in small.state_dict()}
        small.load_state_dict(own)
        if fusion == "mean":
            torch.testing.assert_close(y, small(x, shift))
            continue
        parts, kept = readout.levels(x, shift), [1.0, *(float(s in levels) for s in (2, 4, 8))]
        means = torch.stack([k * p.mean((1, 2)) for k, p in zip(kept, parts, strict=True)], 1)
        gates = readout.gates(means)
        total = sum(k * gates[:, i, None, None] * parts[i] for i, k in enumerate(kept))
        torch.testing.assert_close(y, total + readout.bias)


def test_training_steps_go_without_levels_as_often_as_told():
    readout, x, shift = made(levels=(2, 4), level_dropout=0.25, sample="never")
    subsets, whole = readout.subsets(x, shift), readout(x, shift)
    generator, counts = stream(1, "noise"), dict.fromkeys(subsets, 0)
    readout.train()
    for _ in range(160):
        y = readout(x, shift, generator)
        (some,) = (k for k, v in subsets.items() if torch.allclose(y, v))
        counts[some] += 1
    expected = np.array([1 / 16, 3 / 16, 3 / 16, 9 / 16]) * 160
    assert ((np.array(list(counts.values())) - expected) ** 2 / expected).sum() < 16.3  # 99.9 %
    with pytest.raises(ValueError, match="needs a generator"):
        readout(x, shift)
    torch.testing.assert_close(readout.eval()(x, shift), whole)
    readout.train()
    first = [readout(x, shift, stream(2, "noise")) for _ in range(2)]
    assert torch.equal(*first)
    for wrong in ({"levels": (), "level_dropout": 0.5}, {"level_dropout": 1.0}):
        with pytest.raises(ValueError, match="level_dropout"):
            HierarchicalReadoutConfig(**wrong)


def test_a_level_that_is_left_out_has_no_gradient():
    readout, x, shift = made(levels=(2, 4), level_dropout=0.999)
    readout.train()(x, shift, stream(0, "noise")).sum().backward()
    assert all(table.grad.abs().sum() == 0 for table in readout.tables.values())
    assert readout.point.features.grad.abs().sum() > 0
