"""Gaussian readout: the formulas of the paper, one test an option."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from src.config import GaussianReadoutConfig
from src.models.readouts import GaussianReadout, normalize_positions
from src.seeds import stream

U, CHANNELS = 12, 5
COORDINATES = np.random.default_rng(0).uniform(-300, 400, (U, 3))


def make(channels=CHANNELS, coordinates=COORDINATES, mean_response=None, seed=0, **options):
    config = GaussianReadoutConfig(**options)
    generator = torch.Generator().manual_seed(seed)
    return GaussianReadout(config, channels, U, coordinates, mean_response, generator)


def maps(n=4, seed=1, shape=(CHANNELS, 10, 14)):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))


def random_weights(readout):
    torch.nn.init.normal_(readout.features, generator=torch.Generator().manual_seed(9))
    torch.nn.init.normal_(readout.bias, generator=torch.Generator().manual_seed(8))
    return readout


def read(readout, x, positions):
    """The readout by `grid_sample`, features and bias of every unit at `positions` (n, u, 2)."""
    grid = positions[:, None].double()
    values = F.grid_sample(x.double(), grid, align_corners=True)[:, :, 0]
    return torch.einsum("nfu,uf->nu", values.float(), readout.weights) + readout.bias


def test_parameter_count():
    assert sum(p.numel() for p in make(channels=64).parameters()) == 69 * U + 152
    assert sum(p.numel() for p in make(channels=256).parameters()) == 261 * U + 152


def test_evaluation_reads_at_mu():
    readout, x = random_weights(make()).eval(), maps()
    y = readout(x)
    torch.testing.assert_close(y, read(readout, x, readout.mu.expand(4, -1, -1)))
    assert torch.equal(y, readout(x))


def test_positions_that_start_in_the_center_find_their_own_way():
    readout, x = random_weights(make(position_start="center")), maps()
    assert not readout.mu.any()
    places = torch.linspace(-0.5, 0.5, U)[None, :, None].expand(4, -1, 2)
    target = read(readout, x, places).detach()
    optimizer = torch.optim.Adam(readout.mu_network.parameters(), 0.01)
    for _ in range(20):
        optimizer.zero_grad()
        (readout.eval()(x) - target).square().mean().backward()
        optimizer.step()
    assert (readout.mu.std(0) > 0.01).all()
    assert make().mu.abs().max() > 0.1  # as published


def test_position_network():
    readout = make()
    w1, b1, w2, b2 = (p.double() for p in readout.mu_network.parameters())
    xy = COORDINATES[:, :2] - COORDINATES[:, :2].mean(0)
    source = torch.from_numpy(xy / np.abs(xy).max())
    expected = torch.tanh(F.elu(source @ w1.T + b1) @ w2.T + b2)
    torch.testing.assert_close(readout.mu.double(), expected, rtol=0, atol=1e-6)
    linear = make(position_tanh=False)
    torch.testing.assert_close(torch.tanh(linear.mu), readout.mu)


def test_three_position_dimensions():
    readout = make(position_dims=3)
    assert readout.mu_network[0].weight.shape == (30, 3)
    assert readout.source.shape == (U, 3) and readout.source.abs().max() == 1
    torch.testing.assert_close(readout.source.mean(0), torch.zeros(3), rtol=0, atol=1e-6)


def test_free_positions():
    readout = make(position="free", coordinates=None)
    assert readout.mu.shape == (U, 2) and readout.mu.abs().max() <= 0.3
    assert readout.mu.unique().numel() == 2 * U
    with torch.no_grad():
        readout.free_mu[0] = torch.tensor([1.7, -2.0])
    assert readout.mu[0].tolist() == [1, -1] == readout.free_mu[0].tolist()
    wide = make(position="free", init_mu_range=0.9).mu
    assert 0.3 < wide.abs().max() <= 0.9


def test_shared_position():
    readout = make(position="shared", coordinates=None)
    assert readout.free_mu.shape == (1, 2)
    assert torch.equal(readout.mu, readout.mu[:1].expand(U, -1))


def test_normalized_positions_by_hand():
    got = normalize_positions([[0, 10, 5], [4, 10, 5], [2, 16, 5]], 2, 3)
    assert got.tolist() == [[-0.5, -0.5], [0.5, -0.5], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("coordinates", "message"),
    [
        (None, "there are none"),
        (np.zeros((U, 1)), r"\(12, 1\), expected \(12, 2\)"),
        (np.zeros((3, 2)), r"\(3, 2\), expected \(12, 2\)"),
        (np.ones((U, 2)), "one single position"),
        (np.full((U, 2), np.nan), "NaN"),
    ],
)
def test_unusable_coordinates_name_the_remedy(coordinates, message):
    with pytest.raises(ValueError, match=message + r".*position='free'"):
        make(coordinates=coordinates)


def sampled(readout, draws):
    """Positions without the mean, over draws: (draws, u, 2)."""
    return (readout.positions(draws, generator=stream(3, "sample")) - readout.mu).detach()


def test_covariance_of_positions_is_a_a_transposed():
    readout = make(position="free", init_sigma=0.2, clamp="off")
    g = sampled(readout, 100_000)
    a = readout.spread.detach()
    expected = a @ a.mT
    empirical = torch.einsum("nui,nuj->uij", g, g) / len(g)
    scale = torch.einsum("uii->u", expected)[:, None, None]
    assert ((empirical - expected).abs() / scale).max() < 0.02
    assert g.mean(0).abs().max() < 0.01


def test_an_active_clamp_changes_the_covariance():
    readout = make(position="free", init_sigma=2.0)
    g = sampled(readout, 20_000)
    empirical = torch.einsum("nui,nuj->uij", g, g) / len(g)
    a = readout.spread.detach()
    assert (torch.einsum("uii->u", empirical) < 0.9 * torch.einsum("uii->u", a @ a.mT)).all()


@pytest.mark.parametrize(("gauss_type", "size"), [("uncorrelated", 2), ("isotropic", 1)])
def test_diagonal_covariances(gauss_type, size):
    readout = make(gauss_type=gauss_type, clamp="off", init_sigma=0.15)
    assert readout.spread.shape == (U, size) and (readout.spread == 0.15).all()
    torch.nn.init.uniform_(readout.spread, 0.1, 0.5)
    g = sampled(readout, 50_000)
    expected = readout.spread.detach().expand(-1, 2)
    torch.testing.assert_close(g.std(0).float(), expected, rtol=0.02, atol=0)
    assert (g[..., 0] * g[..., 1]).mean(0).abs().max() < 0.01


def test_full_covariance_starts_uniform():
    spread = make(init_sigma=0.4).spread
    assert spread.shape == (U, 2, 2) and 0.3 < spread.abs().max() <= 0.4 and spread.min() < 0


@pytest.mark.parametrize(
    ("sample", "training", "moves"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("always", False, True),
        ("always", True, True),
        ("never", True, False),
    ],
)
def test_when_positions_are_sampled(sample, training, moves):
    readout = make(sample=sample).train(training)
    positions = readout.positions(3, generator=stream(0))
    assert torch.equal(positions, readout.mu[None]) is not moves


def test_one_sample_an_image_or_a_batch():
    image, batch = (
        make(sample_per=s).positions(3, generator=stream(0)) for s in ("image", "batch")
    )
    assert image.shape == (3, U, 2) and not torch.equal(image[0], image[1])
    assert batch.shape == (1, U, 2)


def test_noise_comes_from_the_generator_alone():
    readout, x = random_weights(make(init_sigma=0.5)), maps()
    first, again, other = (readout(x, generator=stream(1, "epoch", e)) for e in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    with pytest.raises(ValueError, match="needs a generator"):
        readout(x)


def test_clamp_then_shift_is_the_published_order():
    shift = torch.tensor([[0.3, -0.1], [0.0, 0.0], [-2.5, 0.2]], dtype=torch.float64)
    mu = torch.tensor([[0.9, 0.2], [1.4, -1.2]], dtype=torch.float64)  # the second beyond the map
    positions = {}
    for clamp in ("sample", "off", "after_shift"):
        readout = make(position_tanh=False, clamp=clamp).eval()
        readout.mu_network = torch.nn.Identity()
        readout.source = mu
        positions[clamp] = readout.positions(3, shift)
    moved = shift[:, None] + mu
    assert torch.equal(positions["off"], moved)
    assert torch.equal(positions["sample"], shift[:, None] + mu.clamp(-1, 1))
    assert torch.equal(positions["after_shift"], moved.clamp(-1, 1))
    assert positions["sample"].abs().max() > 1


def test_positions_shifted_off_the_map_read_zero():
    readout, x = random_weights(make()).eval(), maps(2)
    y = readout(x, torch.tensor([[0.0, 0.0], [5.0, 0.0]]))
    assert torch.equal(y[1], readout.bias) and not torch.equal(y[0], readout.bias)


def test_border_padding_reads_the_edge():
    x = maps(2)
    readout = random_weights(make(padding="border")).eval()
    y = readout(x, torch.tensor([[5.0, 0.0]] * 2))
    edge = readout.mu.detach().clone()
    edge[:, 0] = 1
    torch.testing.assert_close(y, read(readout, x, edge.expand(2, -1, -1)))


def test_positions_may_span_pixel_borders():
    readout, x = random_weights(make(align_corners=False)).eval(), maps()
    y = readout(x)
    scale = torch.tensor([14 / 13, 10 / 9])  # the same pixel in units of pixel centers
    torch.testing.assert_close(y, read(readout, x, (readout.mu * scale).expand(4, -1, -1)))


def test_gradients_stop_at_the_clamp():
    readout = make(position="free", init_mu_range=1.0, sample="always", init_sigma=1.0)
    g = readout.positions(1, generator=stream(5))[0]
    (gradient,) = torch.autograd.grad(g.sum(), readout.free_mu)
    assert torch.equal(gradient == 1, g.abs() < 1) and 0 < gradient.sum() < 2 * U


def test_spread_learns_in_training_only():
    readout, x = random_weights(make()), maps()
    for training in (True, False):
        readout.train(training)
        loss = readout(x, generator=stream(0)).square().sum() + readout.penalty()
        (gradient,) = torch.autograd.grad(loss, readout.spread, allow_unused=True)
        assert (gradient is not None) is training


@pytest.mark.parametrize(
    ("bias_init", "expected"), [("zero", np.zeros(U)), ("mean", np.arange(U) / 4)]
)
def test_bias_starts(bias_init, expected):
    readout = make(bias_init=bias_init, mean_response=np.arange(U) / 4)
    assert np.array_equal(readout.bias.detach(), expected)


def test_inverse_bias_predicts_the_mean_response():
    mean = np.linspace(0.01, 4, U)
    readout = make(bias_init="inverse_elu", mean_response=mean)
    torch.testing.assert_close(F.elu(readout.bias) + 1, torch.from_numpy(mean).float())
    silent = make(bias_init="inverse_elu", mean_response=np.zeros(U)).bias
    assert torch.isfinite(silent).all()


@pytest.mark.parametrize("mean_response", [None, np.ones(3)])
def test_bias_without_mean_response_is_refused(mean_response):
    with pytest.raises(ValueError, match=r"needs mean_response \(12,\), not"):
        make(bias_init="mean", mean_response=mean_response)


def test_shared_features():
    readout = make(shared_features=True)
    assert readout.features.shape == (1, CHANNELS) and readout.scales.shape == (U, 1)
    torch.nn.init.normal_(readout.features)
    torch.nn.init.uniform_(readout.scales, 0.5, 2)
    expected = readout.scales.detach() * readout.features.detach()
    torch.testing.assert_close(readout.weights, expected)
    x = maps()
    torch.testing.assert_close(
        readout.eval()(x), read(readout, x, readout.mu.expand(4, -1, -1)), rtol=1e-4, atol=1e-5
    )


def test_penalty():
    readout = random_weights(make(feature_l1=0.5))
    features = readout.features.detach().numpy()
    assert readout.penalty().item() == pytest.approx(0.5 * np.abs(features).sum(), rel=1e-6)
    assert make().features.unique().tolist() == [pytest.approx(1 / CHANNELS)]
    shared = make(feature_l1=0.5, shared_features=True)
    torch.nn.init.normal_(shared.scales)
    expected = 0.5 * shared.scales.abs().sum().item()  # the common features sum to 1
    assert shared.penalty().item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("gauss_type", ["full", "uncorrelated", "isotropic"])
def test_penalty_on_the_covariance(gauss_type):
    options = {"feature_l1": 0.0, "covariance_penalty": 3.0, "gauss_type": gauss_type}
    readout = make(**options)
    torch.nn.init.normal_(readout.spread)
    a = readout.covariance_factor.detach().numpy()
    assert a.shape == (U, 2, 2)
    assert readout.penalty().item() == pytest.approx(3 * (a**2).sum(), rel=1e-6)


def test_some_units_in_any_order():
    x, units, shift = maps(), [7, 0, 3], torch.full((4, 2), 0.1)
    for config in ({}, {"shared_features": True}):
        readout = random_weights(make(**config)).eval()
        torch.testing.assert_close(readout(x, shift, units=units), readout(x, shift)[:, units])


def test_readouts_depend_on_their_seed_alone():
    one, two, three = (make(seed=s).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not torch.equal(one["mu_network.0.weight"], three["mu_network.0.weight"])
    assert not torch.equal(one["spread"], three["spread"])
