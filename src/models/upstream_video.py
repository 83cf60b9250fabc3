"""Checkpoints of the published Dynamic-VFM: a table of names, as for those of src/models/upstream.

Names and shapes: specification sensorium2023, 13. One file holds tables for all levels, of which a
readout takes those it uses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from src.config import InputConfig, ModelConfig
from src.data.stored import read_tensors
from src.models.encoder import Encoder, SessionFacts
from src.parts import HierarchicalReadoutConfig, VideoCoreConfig

BLOCK, READOUT = r"^core\.blocks\.(\d+)\.", r"^readouts\.([^.]+)\."
THEIR_BLOCK = r"core.transformer.blocks.\1."
NAMES = (  # ours, theirs
    (r"^core\.embedding\.", "core.patch_embedding.proj."),
    (r"^core\.norm\.", "core.patch_embedding.norm."),
    (BLOCK + r"side\.0\.", THEIR_BLOCK + "b-mlp.model.0."),
    (BLOCK + r"side\.2\.", THEIR_BLOCK + "b-mlp.model.3."),
    (BLOCK + r"attention\.table$", THEIR_BLOCK + "mha.relative_position_bias_table"),
    (BLOCK + r"attention\.qkv\.", THEIR_BLOCK + "mha.qkv."),
    (BLOCK + r"attention\.out\.", THEIR_BLOCK + "mha.proj."),
    (BLOCK + r"feed_forward\.inner\.", THEIR_BLOCK + "mlp.linear1.0."),
    (BLOCK + r"feed_forward\.convolution\.", THEIR_BLOCK + "mlp.dwconv.0.conv."),
    (BLOCK + r"feed_forward\.outer\.", THEIR_BLOCK + "mlp.linear2.0."),
    (READOUT + r"point\.features$", r"readout.\1._features"),
    (READOUT + r"point\.spread$", r"readout.\1.sigma"),
    (READOUT + r"point\.source$", r"readout.\1.source_grid"),
    (READOUT + r"point\.bias$", r"readout.\1.bias"),
    (READOUT + r"point\.mu_network\.", r"readout.\1.mu_transform."),
    (READOUT + r"tables\.(\d+)$", r"readout.\1._features\2"),
    (READOUT + r"maps\.(\d+)\.inner\.", r"readout.\1.up_refine\2.0."),
    (READOUT + r"maps\.(\d+)\.outer\.", r"readout.\1.up_refine\2.2."),
    (r"^shifters\.", "shifter."),
)
UNUSED = re.compile(  # buffers, and what the levels not chosen need
    r"relative_position_index$|drop_path\.keep_prop$|"
    r"\.(_features\d+|up_refine\d+\.\d\.\w+|fusion_block\d+\.module\.\d\.\w+)$"
)


def dynamic_vfm_name(name: str, levels: int) -> str:
    """The published name of one of our parameters, for a readout of so many levels."""
    for pattern, replacement in NAMES:
        if re.search(pattern, name):
            return re.sub(pattern, replacement, name)
    for ours, theirs in (("inner", 0), ("outer", 2)):
        if f".gates.{ours}." in name:
            block = f".fusion_block{levels + 1}.module.{theirs}."
            return name.replace("readouts.", "readout.").replace(f".gates.{ours}.", block)
    raise ValueError(f"the published Dynamic-VFM has no parameter like {name!r}")


def load_dynamic_vfm(
    source: str | Path | Mapping[str, Tensor],
    levels: Sequence[int] = (2, 4, 8, 16),
    sessions: Sequence[str] | None = None,
    image_shape: tuple[int, int, int, int] = (1, 30, 36, 64),
) -> Encoder:
    """An encoder in evaluation mode from a published state dict or its file; all or some sessions.

    Widths, blocks and fusion are read from the tensors; patch and window are the published ones.
    The file may be bare, a dictionary with the key `model`, and its names may begin with `module.`
    (defect 2). ValueError with the difference of keys or shapes where they do not match.
    """
    if not isinstance(source, Mapping):
        source = read_tensors(Path(source))
    state = {k.removeprefix("module."): v for k, v in source.get("model", source).items()}
    config = _config(state, tuple(levels))
    encoder = Encoder(config, _facts(state, sessions, image_shape), seed=0)
    found, used, wrong = {}, set(), []
    for name, ours in encoder.state_dict().items():
        theirs = dynamic_vfm_name(name, len(levels))
        used.add(theirs)
        value = state.get(theirs)
        if value is None or (value := _ours(theirs, value)).shape != ours.shape:
            shape = None if value is None else tuple(value.shape)
            wrong.append(f"{theirs} is {shape}, expected {tuple(ours.shape)}")
        found[name] = value
    left = [k for k in state if k not in used and not UNUSED.search(k) and _chosen(k, encoder)]
    if wrong := wrong + [f"unexpected {name}" for name in left]:
        raise ValueError("not the state of a published Dynamic-VFM: " + "; ".join(wrong))
    encoder.load_state_dict(found)
    return encoder.eval()


def _chosen(name: str, encoder: Encoder) -> bool:
    """Whether a tensor is of the core or of a session that was asked for."""
    part, session, *_ = name.split(".")
    return part not in ("readout", "shifter") or session in encoder.sessions


def _ours(name: str, value: Tensor) -> Tensor:
    if "_features" in name:
        return value[0, :, 0].T  # (1, f, 1, u) -> (u, f)
    if "up_refine" in name and name.endswith("weight"):
        return value[..., 0]  # of a convolution of one tap
    return value[0] if name.endswith(".sigma") else value


def _config(state: Mapping[str, Tensor], levels: tuple[int, ...]) -> ModelConfig:
    first = "core.patch_embedding.proj.weight"
    if first not in state:
        raise ValueError(f"not the state of a published Dynamic-VFM: missing {first}")
    block = "core.transformer.blocks.0."
    core = VideoCoreConfig(
        width=len(state[first]),
        blocks=len({k.split(".")[3] for k in state if k.startswith("core.transformer.blocks.")}),
        heads=state[block + "mha.relative_position_bias_table"].shape[1],
        hidden=state[block + "mlp.linear2.0.weight"].shape[1],
    )
    gated = any(".fusion_block" in name for name in state)
    readout = HierarchicalReadoutConfig(
        levels=levels, fusion="gated" if gated else "mean", index_map="nearest", bias_init="zero"
    )
    return ModelConfig(
        "dynamic_vfm",
        core,
        InputConfig(behavior=True, pupil=True, scale="full"),
        readout,
        shifter=True,
        shifter_hidden=16,
        pupil_in_core=True,
    )


def _facts(
    state: Mapping[str, Tensor],
    sessions: Sequence[str] | None,
    image_shape: tuple[int, int, int, int],
) -> dict[str, SessionFacts]:
    grids = {k.split(".")[1]: v for k, v in state.items() if k.endswith(".source_grid")}
    if missing := set(sessions or grids) - set(grids):
        raise ValueError(f"the file has no sessions {sorted(missing)}, only {sorted(grids)}")
    chosen = {key: grids[key] for key in sessions or grids}
    return {k: SessionFacts(len(grid), image_shape, grid.numpy()) for k, grid in chosen.items()}
