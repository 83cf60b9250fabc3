"""The networks macaque_it trains on rates, published and ours, and their recipes."""

from __future__ import annotations

from dataclasses import replace

from src.config import (
    BaselineCoreConfig,
    ConvCoreConfig,
    DenseReadoutConfig,
    GaussianReadoutConfig,
    InputConfig,
    ModelConfig,
    NetworkCoreConfig,
    TrainingConfig,
)

WHOLE = InputConfig(scale="full")

# The published network trained on rates alone, with learning rates that train it.
IT_CNN = ModelConfig("it_cnn", ConvCoreConfig(), WHOLE, DenseReadoutConfig(), output="identity")
IT_RECIPE = TrainingConfig(
    batch_size=128,
    learning_rate=1e-3,
    schedule="cosine",
    max_epochs=15,
    optimizer="adamw",
    weight_decay=1e-2,
    loss="mse",
    average=0.9,
    jitter=4,
)
# Ours: units read at one place of a map instead of all of it.
FIELD_CNN = ModelConfig(
    "field_cnn",
    BaselineCoreConfig(
        layers=3,
        input_kernel=7,
        input_stride=2,
        pool=2,
        laplace=0.0,
        batch_norm_momentum=0.1,
    ),
    WHOLE,
    GaussianReadoutConfig(position="free", init_mu_range=0.2, init_sigma=0.4, feature_l1=0.0),
    output="identity",
)
FIELD_RECIPE = replace(IT_RECIPE, batch_size=32, learning_rate=5e-3, max_epochs=45, average=0.95)

# The same blocks for rates and for the class of the object, then a branch for each.
_BRANCH = DenseReadoutConfig(channels=(256, 512))
DUAL_TASK = ModelConfig(
    "dual_task",
    ConvCoreConfig(),
    replace(WHOLE, objects=True),
    _BRANCH,
    objects=_BRANCH,
    output="identity",
)
DUAL_RECIPE = replace(IT_RECIPE, batch_size=64, object_weight=0.1)

# Networks that know objects: convolutions on their frozen maps, as published, or all of them
# trained on, with the published recipe and its warm-up (specification 6.1, 6.4).
HEAD_RECIPE = replace(IT_RECIPE, learning_rate=1e-4, max_epochs=9, jitter=0)
TUNED_RECIPE = TrainingConfig(
    batch_size=32,
    learning_rate=1e-3,
    min_learning_rate=1e-6,
    schedule="cosine",
    warmup_epochs=2,
    cosine_epochs=15,
    max_epochs=10,
    clip=1.0,
    loss="mse",
)


def map_head(maps: str, *channels: int, hidden: int, name: str = "map_head") -> ModelConfig:
    """Blocks of convolution, and two dense layers, on the stored maps "network/layer"."""
    inputs, readout = replace(WHOLE, maps=maps), DenseReadoutConfig(hidden)
    return ModelConfig(name, ConvCoreConfig(channels), inputs, readout, output="identity")


def tuned(name: str, core: NetworkCoreConfig, naming: bool = False) -> ModelConfig:
    """A network whose last linear layer gives rates; with a second one that names objects."""
    linear, inputs = DenseReadoutConfig(hidden=0), InputConfig(scale="full", raw=True)
    inputs, objects = replace(inputs, objects=naming), linear if naming else None
    return ModelConfig(name, core, inputs, linear, objects=objects, output="identity")


def narrow(
    model: ModelConfig, *channels: int, hidden: int, branch: tuple[int, ...] = ()
) -> ModelConfig:
    """A network trained on rates with fewer channels: for a laptop."""
    core = replace(model.core, channels=channels)
    readout = DenseReadoutConfig(hidden, channels=branch)
    objects = readout if model.objects else None
    return replace(model, core=core, readout=readout, objects=objects)
