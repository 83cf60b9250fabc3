# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · Train
#
# **Can a network learn to predict these neurons from images, and when should it stop?**
#
# One run of this notebook trains one *member* of one *model* on all sessions together. A model is
# a core that all mice share, and a readout for each mouse. The core is a convolutional network:
# whatever an orientation, a texture or an edge is to mouse V1, it should be that in every mouse.
# The readout says, for each neuron, where it looks (a position on the core's feature map) and
# what it looks for (a weight for each feature). Sharing the core is what makes 8,000 neurons from
# 5,000 images possible.
#
# | model | what it is | source |
# |---|---|---|
# | `ln` | three linear layers and one output nonlinearity | Willeke et al. 2022 |
# | `cnn` | the competition's baseline, four layers | Willeke et al. 2022 |
# | `cnn_plus` | the same with behavior as input and a pupil shifter | Willeke et al. 2022 |
# | `wide` | the winner's wide core: full resolution, an object box per image | SENSORIUM 2022 |
# | `vit` | a vision transformer that sees behavior in every block | V1T, Li et al. 2023 |
# | `wide_plus` | ours: wide core; behavior scales and shifts each unit | this repository |
# | `compact` | ours: two layers at half the resolution, behavior the same way | this repository |
# | `student` | the same, taught by the members of `compact` | Hinton et al. 2015 |
#
# The answer is the last figure: the score on validation images, epoch by epoch.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.config import as_plain
from src.data.session import open_sessions
from src.data.splits import member_splits
from src.figures.panels import learning_curve
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure
from src.models.encoder import Encoder
from src.paths import run_paths
from src.seeds import member_seed
from src.studies import STUDIES
from src.training.trainer import train

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = "wide"  # a model of the profile, see the table above
member: int = 1  # which ensemble member, from 1
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
processes: int = 1  # that share the training, on a GPU each where there are GPUs
seed: int = 42  # every member derives its own seed from this one

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
plan = settings.plan(model)
places = run_paths(study.name, recording or profile, data_root, output_root)
folder = places.member(model, member)
declare(folder / "weights.pt", folder / "history.csv")

# %% [markdown]
# ## The configuration
#
# A frozen record of plain values describes the model and its recipe. It is stored in the
# checkpoint, and a checkpoint made with another record is trained anew rather than reused.

# %%
pd.json_normalize(as_plain(plan)).T.rename(columns={0: "value"})

# %%
sessions = open_sessions(places.processed, plan.model.inputs)
splits = member_splits(sessions, plan.split, plan.members, seed, plan.images)[member - 1]
pd.DataFrame(
    {
        "units": {key: session.n_units for key, session in sessions.items()},
        "training trials": {key: len(split.train) for key, split in splits.items()},
        "validation trials": {key: len(split.validation) for key, split in splits.items()},
        "split": {key: split.fingerprint[:12] for key, split in splits.items()},
    }
)

# %% [markdown]
# ## The network
#
# Where a neuron reads is not free. Its position on the map is a smooth function of where its cell
# body lies in cortex, because V1 is retinotopic: neighbors look at neighboring places. During
# training the position is sampled from a small Gaussian around that point, so that gradients can
# find the right place from a distance; in evaluation the mean is used (Lurz et al. 2021).
#
# The winner's wide core has a surprise in it. It takes six planes at full resolution: the image,
# the image minus its mean, and four constant planes with the center, width and height of a box
# around the main object. But a convolution of a constant plane without padding is a constant, and
# the centered image differs from the image by one number. So the six planes are, exactly, one
# plane and five numbers per image: a bias for each feature. The *folded* form computes just that,
# agrees with the published network to rounding, and shows what the boxes can and cannot say:
# nothing about *where* in the feature map, only how much overall.

# %%
encoder = Encoder(plan.model, sessions, seed=member_seed(seed, member))
core_size = sum(weights.numel() for weights in encoder.core.parameters())
size = sum(weights.numel() for weights in encoder.parameters())
print(f"{core_size:,} weights in the core, {size - core_size:,} in the readouts and around them")

# %% [markdown]
# ## Teachers
#
# A trial's response is a mean and a lot of noise. Members of a model that is trained already know
# the mean better than any one trial does: half of a student's target is what they predict together
# (distillation, Hinton et al. 2015). Most models have no teacher.

# %%
teacher = settings.plan(plan.teacher) if plan.teacher else None
numbers = range(1, teacher.members + 1) if teacher else ()
teachers = [places.member(plan.teacher, k) / "weights.pt" for k in numbers]
print(f"{len(teachers)} teachers", *numbers)

# %% [markdown]
# ## Training
#
# For a batch of B out of N trials of a mouse, with responses r and predictions r̂, the loss is
#
# $$\sqrt{N/B}\;\sum_{n,u}\left(\hat r_{nu} - r_{nu}\log \hat r_{nu}\right) \;+\; \text{penalties}$$
#
# It is the negative log-likelihood of Poisson counts, summed, not averaged, so a mouse with more
# neurons weighs more, and the penalties are meant relative to that sum. The root makes the
# balance between data and penalties depend on the square root of the batch, a choice of the
# published code that we keep. The penalties are a smoothness penalty on the first kernels and an
# L1 penalty on each neuron's feature weights. One step takes one batch from every mouse, adds up
# the gradients, and moves once. After each epoch the correlation between predicted and measured
# validation responses decides: better, and the weights are kept; worse for a few epochs in a row,
# and training goes back to the best weights with a smaller learning rate. Each epoch ends with a
# checkpoint, so a run that is killed continues from its last epoch and ends with the same bits. A
# finished member is not trained twice. With `processes` above one, several share each batch and add
# up their gradients; noise is drawn for the whole batch and batch norm sees all of it, so that they
# end where one would, but for rounding.

# %%
options = {"device": device, "teachers": teachers, "processes": processes}
history = train(
    encoder, sessions, splits, plan.training, member_seed(seed, member), folder, **options
)
history.tail(3)

# %%
use_style()
figure, axis = plt.subplots(figsize=(6, 3.2))
learning_curve(axis, history, model)
axis.set_title(f"{model}, member {member}")
if settings.simulation and not recording:
    mark_simulated(figure)
save_figure(figure, places.figures / f"02_{model}_member_{member:02d}.png")

# %% [markdown]
# **What one sees.** The validation correlation is over single trials, averaged over all neurons
# of all mice. It rises steeply, flattens, and may gain a last bit each time the learning rate
# falls, where a rule is drawn; the marked epoch is the one that was kept. Single-trial
# correlation is bounded far below 1 by the neurons' own noise; how far, `04_evaluate` shows.
#
# Next: `03_predict` asks the trained members about images they never saw.
