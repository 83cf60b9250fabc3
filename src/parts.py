"""Configuration records of the parts of a model: cores and readouts; see src/config.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class BaselineCoreConfig:
    """Stacked core of the SENSORIUM 2022 baseline (CNN; `linear=True, layers=3` is LN)."""

    layers: int = 4
    channels: int = 64
    input_kernel: int = 9
    hidden_kernel: int = 7
    input_stride: int = 1
    pool: int = 1  # average over pool x pool after the first layer
    linear: bool = False
    laplace: float = 6.3831
    batch_norm_momentum: float = 0.9


@dataclass(frozen=True)
class WideCoreConfig:
    """Wide core of the SENSORIUM 2022 winner; `folded` is its exact one-channel identity."""

    channels: tuple[int, ...] = (32, 128, 256, 256, 256)
    stem_kernel: int = 4
    stem_stride: int = 4
    pool: int = 1  # average over pool x pool after the stem
    input_kernel: int = 9
    hidden_kernel: int = 7
    form: Literal["folded", "plane"] = "folded"
    laplace: float = 6.3831
    batch_norm_momentum: float = 0.9


@dataclass(frozen=True)
class ViTCoreConfig:
    """Vision transformer of V1T (Li et al. 2023); without side scalars it is a plain one."""

    patch: int = 8
    stride: int = 1
    width: int = 155
    blocks: int = 4
    heads: int = 4
    head_width: int = 155
    hidden: int = 488  # of the MLP that ends a block
    side_hidden: int = 77  # of the MLP of side scalars that begins it
    patch_dropout: float = 0.0229
    dropout: float = 0.2544
    penalty: float = 0.5379  # times the sum of all absolute weights of the core


@dataclass(frozen=True)
class ConvCoreConfig:
    """Plain convolutional blocks; defaults are the encoder of the macaque IT network IT_CNN."""

    channels: tuple[int, ...] = (32, 64, 128)  # of each block; none: the input itself
    kernel: int = 3
    padding: int = 0  # zeros around each map before it is convolved
    pool: int = 2  # maximum over pool x pool at the end of a block
    batch_norm: bool = True
    batch_norm_momentum: float = 0.1


@dataclass(frozen=True)
class NetworkCoreConfig:
    """A network of the profile, from the weights it comes with, up to one of its layers."""

    source: str  # name of the frozen network it starts from
    network: str  # what that is: architecture, and the name of its weights
    weights: str = ""
    channels: tuple[int, ...] = ()  # of the blocks of a network of the house; empty: its own
    layer: str = ""  # the last that is used; empty: all but the classifier
    size: int = 0  # pixels a side the images are resized to; 0: what the network was made for
    pool: int = 0  # maps are averaged to at most so many cells a side; 0: left as they are


@dataclass(frozen=True)
class GNetCoreConfig:
    """GNet (St-Yves et al. 2023): two layers of AlexNet that stay as they are, then a trunk."""

    # stored: images are maps of the prefilter; frozen: computed anew; trained: and learns too
    prefilter: Literal["stored", "frozen", "trained"] = "frozen"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)  # of training pixels in 0..1, by channel
    width: int = 128  # channels of a layer; units read half of them but of the first and last
    dropout: float = 0.5  # share of the channels that a layer does without
    batch_norm_momentum: float = 0.25


@dataclass(frozen=True)
class TrunkMapsConfig:
    """Maps of a trunk that was looked at before, side by side; see src/models/map_sessions.py."""

    shapes: tuple[tuple[int, int, int], ...]  # (c, h, w) of each, of one c


@dataclass(frozen=True)
class VideoCoreConfig:
    """Shifted-window transformer of Dynamic-VFM, second of SENSORIUM 2023, as published."""

    patch: tuple[int, int, int] = (2, 2, 2)  # frames, rows, columns of a token
    window: tuple[int, int, int] = (8, 7, 7)  # tokens that attend to one another
    width: int = 224  # channels of a token
    blocks: int = 4
    heads: int = 4
    hidden: int = 488  # of the feed-forward part of a block
    # which blocks attend in windows that are moved by half; published: every one, so that windows
    # are the same in all
    shift: Literal["always", "alternate"] = "always"
    norm: Literal["none", "pre"] = "none"  # pre: layer norm before attention and feed-forward
    # tokens that fill up the last windows: visible as published, or seen by no token of the film
    pad_keys: Literal["visible", "masked"] = "visible"
    causal: bool = False  # a token sees no later one


@dataclass(frozen=True)
class FactorizedCoreConfig:
    """Convolutions over space, then time, of the organizers of SENSORIUM 2023; all without padding.

    Defaults are theirs. One frame at a time and `recurrent`: in the spirit of their GRU.
    """

    channels: tuple[int, ...] = (32, 64, 128)
    spatial: tuple[int, ...] = (11, 5, 5)  # kernel of each layer
    temporal: tuple[int, ...] = (11, 5, 5)
    stride: int = 1  # of the first spatial kernel
    linear: bool = False  # without batch norm and ELU: a linear core
    recurrent: int = 0  # kernel of a convolutional GRU over the last maps; 0: none
    smooth_space: float = 10.0  # weight of the roughness of the first spatial kernels
    smooth_time: float = 0.01  # of all differences of temporal kernels' neighbors in time


@dataclass(frozen=True)
class SeparableVideoCoreConfig:
    """Ours, in the spirit of DwiseNeuro, the winner of SENSORIUM 2023: depth-wise and causal."""

    channels: tuple[int, ...] = (32, 32, 32)  # of the stem, then of each block
    stem: int = 7  # spatial kernel of the stem
    stride: int = 2  # of the stem
    expansion: int = 2  # channels inside a block, times its own
    spatial: int = 5  # kernels inside a block
    temporal: int = 5
    squeeze: int = 4  # of channels that weigh channels; 0: no such weights
    smooth: float = 1.0  # weight of the roughness of the stem's kernels


@dataclass(frozen=True)
class PoolingReadoutConfig:
    """Every unit pools each map over a field of its own, then weights the channels (GNet)."""

    chunk: int = 512  # units pooled at once; memory and speed depend on it, results do not
    feature_l1: float = 0.1
    init_std: float = 0.01  # of weights and biases
    # maps: a free field on each map; one: a single free one; gaussian: a place and a size
    field: Literal["maps", "one", "gaussian"] = "maps"
    places: int = 13  # a side, of the one field; maps of other sizes see it averaged or summed


@dataclass(frozen=True)
class DenseReadoutConfig:
    """Every unit reads the whole map through one hidden layer; defaults are those of IT_CNN."""

    hidden: int = 256  # of the layer all units of a session share; 0: none
    batch_norm: bool = False  # of the hidden layer
    dropout: float = 0.0  # share of the hidden layer's values
    channels: tuple[int, ...] = ()  # of blocks of convolution and pooling before it


@dataclass(frozen=True)
class GaussianReadoutConfig:
    """Gaussian readout (Lurz et al. 2021); defaults are those of the SENSORIUM 2022 baseline."""

    position: Literal["cortex", "free", "shared"] = "cortex"  # where mu comes from
    position_dims: Literal[2, 3] = 2  # soma coordinates used by the position network
    position_tanh: bool = True  # final tanh of the position network
    position_hidden: int = 30  # units of that network's hidden layer
    position_start: Literal["random", "center"] = (
        "random"  # of that network; center: no unit is lost
    )
    gauss_type: Literal["full", "uncorrelated", "isotropic"] = "full"
    sample: Literal["auto", "always", "never"] = "auto"  # auto: in training only
    sample_per: Literal["image", "batch"] = "image"
    clamp: Literal["sample", "off", "after_shift"] = "sample"
    align_corners: bool = True
    padding: Literal["zeros", "border"] = "zeros"
    bias_init: Literal["zero", "mean", "inverse_elu"] = "zero"
    shared_features: bool = False  # one feature vector for all units, times a scale per unit
    init_mu_range: float = 0.3  # free positions start in U(-range, range)
    init_sigma: float = 0.1
    feature_l1: float = 0.0076
    covariance_penalty: float = 0.0  # weight of sum(A^2), 0 upstream


@dataclass(frozen=True)
class HierarchicalReadoutConfig(GaussianReadoutConfig):
    """Gaussian readout with more feature tables, shared by groups of units (Dynamic-VFM)."""

    position_hidden: int = 32
    init_sigma: float = 0.2
    feature_l1: float = 0.0
    bias_init: Literal["zero", "mean", "inverse_elu"] = "mean"
    levels: tuple[int, ...] = (2, 4, 8, 16)  # units a group, ascending; none: a Gaussian readout
    fusion: Literal["mean", "gated"] = "mean"  # of the levels: mean, or weights of each clip
    # how often a training step goes without a level: one training then serves every subset of them
    level_dropout: float = 0.0
    grouping: Literal["index", "cortex", "random"] = "index"  # which units are neighbors
    # whose position a group is read at: its first unit's; as published, unit floor(i N / n), mostly
    # of the group before, or that in float32 as the published code rounds it
    index_map: Literal["first", "division", "nearest"] = "first"

    def __post_init__(self) -> None:
        if list(self.levels) != sorted({*self.levels} & {2, 4, 8, 16}):
            raise ValueError(f"levels={self.levels} must be some of 2, 4, 8, 16, ascending")
        if not 0 <= self.level_dropout < 1 or (self.level_dropout and not self.levels):
            raise ValueError(
                f"level_dropout={self.level_dropout} must be in 0..1, and 0 without levels"
            )
        if self.shared_features:
            raise ValueError("a hierarchical readout has features of its own: no shared_features")
