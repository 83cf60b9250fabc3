"""CORnet: stored outputs of the published code, rules of unrolling, sizes, precision, export."""

import zlib
from copy import deepcopy
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from src.models.cornet import AREAS, LETTERS, cornet
from src.seeds import stream

PARAMETERS = {  # spec 5, V1 V2 V4 IT decoder
    "z": (9_472, 73_856, 295_168, 1_180_160, 513_000),
    "r": (46_592, 221_824, 886_016, 3_541_504, 513_000),
    "rt": (46_592, 221_824, 886_016, 3_541_504, 513_000),
    "s": (46_528, 2_519_808, 10_078_720, 40_258_560, 513_000),
}
TENSORS = {"z": 10, "r": 30, "rt": 30, "s": 164}
CALLS = {"z": (1, 1, 1, 1), "r": (5,) * 4, "rt": (5,) * 4, "s": (1, 2, 4, 2)}
TOTALS = {"z": 2_071_656, "r": 5_208_936, "rt": 5_208_936, "s": 53_416_616}
EVERY = pytest.mark.parametrize("letter", LETTERS)


def fill(module):
    """The weights of the fixtures: each tensor drawn by its name (spec 13)."""
    filled = {}
    for name, value in module.state_dict().items():
        rng, shape = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF), value.shape
        last = name.rsplit(".", 1)[-1]
        if last == "num_batches_tracked":
            drawn = np.array(7)
        elif last in ("running_mean", "bias"):
            drawn = 0.1 * rng.standard_normal(shape)
        elif last == "running_var" or len(shape) == 1:
            drawn = rng.uniform(0.5, 1.5, shape)
        else:
            drawn = np.sqrt(2 / np.prod(shape[1:])) * rng.standard_normal(shape)
        filled[name] = torch.from_numpy(np.asarray(drawn)).to(value.dtype)
    module.load_state_dict(filled)
    return module.eval()


def built(letter, **options):
    return cornet(letter, stream(0, "init"), **options)


def stepping(letter, times):
    """The filled network with another number of steps."""
    network = built(letter, times=times)
    network.load_state_dict(filled(letter).state_dict())
    return network.eval()


@cache
def filled(letter):
    """One network a letter, for all tests that leave it as it is."""
    with torch.inference_mode(False):
        return fill(built(letter))


@pytest.fixture(scope="module")
def images():
    drawn = np.random.RandomState(1234).standard_normal((2, 3, 224, 224))
    return torch.from_numpy(drawn.astype(np.float32))


@pytest.fixture(scope="module")
def stored(shared):
    folder = shared / "fixtures" / "cornet"
    if not folder.is_dir():
        pytest.skip("stored outputs of the published CORnets are not here: no fixtures/cornet")
    return {f: np.load(folder / f"parity_cornet_{f}.npz") for f in ("z", "r", "s")}


def close(found, wanted, share=1e-4):
    """Within a share of the largest value."""
    found = found.detach().numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=share * np.abs(wanted).max())


STORED = pytest.mark.parametrize("letter", ["z", "r", "s"])


@STORED
def test_states_and_logits_are_those_of_the_published_code(letter, stored, images):
    """At every step of every area: moments, means over places, one place; the last map whole."""
    wanted, network, later = stored[letter], filled(letter), []
    parts = network.decoder.avgpool, network
    handles = [m.register_forward_hook(lambda *a: later.append(a[2])) for m in parts]
    with torch.inference_mode():
        states = network.states(images)
    for handle in handles:
        handle.remove()
    pool, logits = later
    close(logits, wanted["hash_logits_eval"])
    states["decoder.avgpool"] = pool[None]
    seen = {f"hash_{area}_t{i}" for area, x in states.items() for i in range(len(x))}
    assert seen == {k.removesuffix("_meanstd") for k in wanted if k.endswith("_meanstd")}
    for area, steps in states.items():
        for i, x in enumerate(steps):
            key, (_, _, h, w) = f"hash_{area}_t{i}", x.shape
            moments = torch.stack([x.mean(), x.std(), x.abs().max()])
            np.testing.assert_allclose(moments, wanted[f"{key}_meanstd"], rtol=1e-4)
            close(x.mean((2, 3)), wanted[f"{key}_chmean"])
            close(x[:, :8, h // 2, w // 2], wanted[f"{key}_px"])
    close(states["IT"][-1], wanted["hash_IT_last_full"])


@STORED
def test_gradients_are_those_of_the_published_code(letter, stored, images):
    """In training mode, where batch norms of S use the batch."""
    wanted, network = stored[letter], deepcopy(filled(letter)).train()
    logits = network(images)
    close(logits, wanted["hash_logits_train"])
    loss = F.cross_entropy(logits, torch.tensor([3, 777]))
    assert loss.item() == pytest.approx(wanted["hash_loss_train"].item(), rel=1e-3)
    loss.backward()
    assert [name for name, _ in network.named_parameters()] == list(wanted["param_names"])
    norms = [p.grad.norm().item() for p in network.parameters()]
    np.testing.assert_allclose(norms, wanted["hash_gradnorm"], rtol=1e-3)


@pytest.mark.parametrize("times", [1, 2, 3, 4, 5, 7])
def test_steps_of_r_are_those_of_the_published_code(times, stored, images):
    with torch.inference_mode():
        found = stepping("r", times)(images)
    close(found, stored["r"][f"hash_logits_eval_times{times}"])


@EVERY
def test_areas_have_the_published_numbers_of_weights(letter):
    network = built(letter)
    parts = {name: sum(p.numel() for p in m.parameters()) for name, m in network.named_children()}
    assert parts == dict(zip((*AREAS, "decoder"), PARAMETERS[letter], strict=True))
    assert sum(parts.values()) == TOTALS[letter]
    assert len(network.state_dict()) == TENSORS[letter]
    hooked = ["output"] if letter in "zs" else []
    names = [name for name, _ in network.decoder.named_children()]
    assert names == ["avgpool", "flatten", "linear", *hooked]


@EVERY
@pytest.mark.parametrize(
    ("size", "sides"),
    [((64, 64), (16, 8, 4, 2)), ((128, 90), (32, 16, 8, 4)), ((256, 256), (64, 32, 16, 8))],
    ids=str,
)
def test_other_sizes_are_taken(letter, size, sides):
    """By strides of 4, 2, 2 and 2; each area's steps as published; sides that do not divide."""
    with torch.inference_mode():
        states = filled(letter).states(torch.zeros(1, 3, *size))
    found = [(len(x), *x.shape[1:-1]) for x in states.values()]
    assert found == [
        (t, 1, c, side)
        for t, c, side in zip(CALLS[letter], (64, 128, 256, 512), sides, strict=True)
    ]


def unrolled(network, images, times):
    """R or RT written out from spec 5.2 and 5.3: area -> state after each step."""
    w, found = dict(network.state_dict()), {area: [] for area in AREAS}
    states = dict.fromkeys(AREAS)
    for t in range(times):
        before = dict(states)
        for area, below, stride in zip(AREAS, (None, *AREAS), (4, 2, 2, 2), strict=False):
            x = (
                images
                if below is None
                else (states if network.unroll == "legacy" else before)[below]
            )
            kernel, bias = w[f"{area}.conv_input.weight"], w[f"{area}.conv_input.bias"]
            if t == 0 and below is not None:
                side = found["V1"][0].shape[-1] >> AREAS.index(area)
                u = torch.zeros(len(images), len(kernel), side, side)
            else:
                x = F.conv2d(x, kernel, bias, stride, kernel.shape[-1] // 2)
                u = normed(w, f"{area}.norm_input", x)
            v = u if before[area] is None else u + before[area]
            states[area] = normed(
                w, f"{area}.norm1", F.conv2d(v, w[f"{area}.conv1.weight"], None, 1, 1)
            )
            found[area].append(states[area])
    return {area: torch.stack(steps) for area, steps in found.items()}


def normed(w, name, x):
    """ReLU of group norm, written out: 32 groups, variance of the group, eps 1e-5."""
    groups = x.reshape(len(x), 32, -1)
    mean, var = groups.mean(2, keepdim=True), groups.var(2, correction=0, keepdim=True)
    x = ((groups - mean) / (var + 1e-5).sqrt()).reshape(x.shape)
    return F.relu(x * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None])


@pytest.mark.parametrize("letter", ["r", "rt"])
def test_unrolling_is_that_of_the_rules(letter):
    network, x = filled(letter), torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        found, wanted = network.states(x), unrolled(network, x, 5)
        for area in AREAS:
            close(found[area], wanted[area].numpy())
        close(network(x), network.decoder.linear(wanted["IT"][-1].mean((2, 3))).numpy())


def test_r_and_rt_share_v1_and_the_first_step():
    """Whose later areas are one constant a channel, the bias of the norm."""
    with torch.inference_mode():
        x = torch.randn(2, 3, 64, 64)
        r, rt = (filled(letter).states(x) for letter in ("r", "rt"))
    assert torch.equal(r["V1"], rt["V1"])
    for area in AREAS[1:]:
        bias = F.relu(filled("r").get_submodule(area).norm1.bias)[:, None, None]
        for states in (r, rt):
            assert torch.equal(states[area][0], bias.expand_as(states[area][0]))
        assert not torch.equal(r[area][1], rt[area][1])


def vary(x):
    """Whether the two images of a batch differ: (t, 2, ...) -> t answers."""
    return [not torch.equal(step[0], step[1]) for step in x]


def test_the_image_climbs_at_once_in_r_and_one_area_a_step_in_rt():
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        r, rt = (filled(letter).states(x) for letter in ("r", "rt"))
    for i, area in enumerate(AREAS):
        assert vary(r[area]) == [t >= min(i, 1) for t in range(5)]
        assert vary(rt[area]) == [t >= i for t in range(5)]
    assert not any(torch.equal(a, b) for a, b in pairwise(rt["IT"]))  # still, it moves


@pytest.mark.parametrize(("letter", "first"), [("r", 2), ("rt", 4)])
def test_logits_know_the_image_once_it_has_reached_it(letter, first):
    """CN-03 and CN-07: `times` is no number that is accepted and ignored."""
    x, logits = torch.randn(2, 3, 64, 64), []
    with torch.inference_mode():
        for times in range(1, 7):
            logits.append(stepping(letter, times)(x))
    assert vary(logits) == [times >= first for times in range(1, 7)]
    assert not any(torch.equal(a, b) for a, b in pairwise(logits))


def test_wrong_letters_and_no_steps_are_refused():
    with pytest.raises(ValueError, match="CORnet comes as z, r, rt, s, not as 'S'"):
        built("S")
    with pytest.raises(ValueError, match="0 time steps"):
        built("r", times=0)
    with pytest.raises(ValueError, match="CORnet-S has steps of its own"):
        built("s", times=5)


@EVERY
def test_weights_start_as_published_from_the_generator_alone(letter):
    """Xavier, uniform in fan_in^-.5, or normal by fan out; nothing from the global generator."""
    before = torch.get_rng_state()
    weights = built(letter).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    last = weights["decoder.linear.weight"].abs().max()
    b = (6 / 1512) ** 0.5 if letter == "z" else 512**-0.5
    assert 0.999 * b < last <= b
    for name, x in ((name, x) for name, x in weights.items() if x.ndim == 4):
        fan_in, fan_out = x[0].numel(), x[:, 0].numel()
        var = {"z": 2 / (fan_in + fan_out), "s": 2 / fan_out}.get(letter, 1 / (3 * fan_in))
        assert x.square().mean() == pytest.approx(var, rel=6 / x.numel() ** 0.5), name
        assert (x.abs().max() < 1.74 * var**0.5) == (letter != "s")  # uniform: sqrt(3)
    biases = [x for n, x in weights.items() if n.endswith("bias") and "norm" not in n]
    assert all((x == 0).all() == (letter == "z") for x in biases)


def test_other_generators_give_other_weights():
    one, same, other = (cornet("z", stream(s, "init")).state_dict() for s in (0, 0, 1))
    for name in (name for name in one if name.endswith("weight")):
        assert torch.equal(one[name], same[name]) and not torch.equal(one[name], other[name])


@pytest.mark.parametrize("letter", ["rt", "s"])
def test_a_network_can_be_exported(letter):
    """CN-13, C10: nothing is changed on the way, so that the graph can be taken out."""
    network, x = filled(letter), torch.randn(2, 3, 32, 32)
    before = {name: str(module) for name, module in network.named_modules()}
    graph = torch.export.export(network, (x,)).module()
    with torch.inference_mode():
        torch.testing.assert_close(graph(x), network(x))
    assert {name: str(module) for name, module in network.named_modules()} == before


def test_an_interrupted_pass_leaves_nothing_behind():
    """C10: stopped in V4 between two steps, the next pass is as ever."""
    network, x = filled("s"), torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        whole = network(x)

        def stop(*_):
            raise KeyboardInterrupt

        hook = network.V4.output.register_forward_hook(stop)
        with pytest.raises(KeyboardInterrupt):
            network(x)
        hook.remove()
        assert torch.equal(network(x), whole)


def test_a_network_compiles():
    network, x = built("r").eval(), torch.randn(1, 3, 64, 64)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    with torch.inference_mode():
        torch.testing.assert_close(compiled(x), network(x))


@EVERY
def test_half_precision_stays_what_it_is(letter):
    """C11: no zeros of another type come in; 8 bits of mantissa stay near."""
    network, x = deepcopy(filled(letter)).bfloat16(), torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        found, wanted = network(x.bfloat16()), filled(letter)(x)
    assert found.dtype == torch.bfloat16
    assert (found.float() - wanted).norm() < 0.1 * wanted.norm()
