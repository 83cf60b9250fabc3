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
# **Can one network predict what neurons do while a mouse watches a film, and what does it cost?**
#
# An image has an answer: one number a neuron. A film has a trace: a number for each neuron and
# each thirtieth of a second. The network is nevertheless built as for images. A *core* that
# all mice share turns a clip of 30 frames into maps, one map for each of the last frames. A
# *readout* for each mouse says where on the map each neuron looks, and for what. Time is one more
# axis, not another program: the training loop, the losses and the checkpoints are those of the
# other studies, and so is the way positions are found (Lurz et al. 2021).
#
# | model | what it is | source |
# |---|---|---|
# | `gated_0` | transformer in shifted windows, a Gaussian readout | Dynamic-VFM, 2nd of 2023 |
# | `mean_2_4_8_16` | the same, and groups of units share features, averaged | the same |
# | `gated_2_4_8_16` | the same, each clip weighs the levels | the same |
# | `mean_2_4`, ... | other subsets of levels: 31 members in all | the same |
# | `causal` | no token sees a later frame | this repository |
# | `compact` | ours: depth-wise convolutions over space, then time | DwiseNeuro, 1st of 2023 |
# | `factorized`, `gru` | convolutions over space then time; with memory | the organizers |
# | `linear` | one linear filter in space and time | this repository |
#
# One run trains one model; the runs are independent, in any order. The answer is the last figure:
# the score on whole trials of the *oracle* tier, epoch by epoch.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.config import as_plain
from src.data.movies import open_movie_sessions
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
model: str = "mean_2_4_8_16"  # a model of the profile, see the table above
member: int = 1  # which ensemble member, from 1
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
processes: int = 1  # that share the training, on a GPU each where there are GPUs
seed: int = 42  # every member derives its own seed from this one

# %%
study = STUDIES["sensorium2023"]
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

# %% [markdown]
# ## Films, trials, clips
#
# Training films were shown once each; the oracle films, about ten times each, are for validation.
# A training step does not see whole films. It draws one clip of each, at a random place, and the
# place may be anywhere up to the last frame. Responses are divided by the standard deviation of
# their unit *and frame*: an accident of the published data that became the official target.

# %%
sessions = open_movie_sessions(places.processed, plan.model.inputs)
splits = member_splits(sessions, plan.split, plan.members, seed)[member - 1]
pd.DataFrame(
    {
        "units": {key: session.n_units for key, session in sessions.items()},
        "training films": {key: len(split.train) for key, split in splits.items()},
        "oracle trials": {key: len(split.validation) for key, split in splits.items()},
        "clip (c, t, h, w)": {key: session.image_shape for key, session in sessions.items()},
    }
)

# %% [markdown]
# ## The network
#
# The published transformer cuts a clip into *tokens*, blocks of two frames and a few pixels. In
# each of its blocks a small network first adds what the mouse does, pupil and running, to all
# tokens of that moment. Then tokens attend to one another, but only inside windows; the windows are
# moved by half their size, in every block alike, so that what one window knows reaches the next
# only through a small convolution.
#
# The readout's *levels* let neighbors by number share one feature vector, in groups of 2, 4, 8
# and 16. Whether that helps is the question of `07_fig_levels`.
#
# How many frames come out is worth a look: the number says how much of a clip is context.

# %%
encoder = Encoder(plan.model, sessions, seed=member_seed(seed, member))
core_size = sum(weights.numel() for weights in encoder.core.parameters())
size = sum(weights.numel() for weights in encoder.parameters())
print(f"{core_size:,} weights in the core, {size - core_size:,} in the readouts and around them")
_, frames, height, width = next(iter(sessions.values())).image_shape
print("(t', h', w') =", encoder.core.output_shape(frames, height, width), "of", frames, "frames")

# %% [markdown]
# ## Training
#
# For a batch of clips with responses r and predictions r̂ the loss is a sum over clips, frames and
# units, the negative log-likelihood of Poisson counts:
#
# $$\sum_{n,t,u}\left(\hat r_{ntu} - r_{ntu}\log \hat r_{ntu}\right)$$
#
# The published recipe takes a step after each mouse, also after its last batch of two clips, which
# moves the network as far as one of 32. Here, unless a recipe says `turns="cycle"`, one step adds
# up the gradients of all mice, so that a small batch counts for little. The learning rate stays
# high for a while and then falls along half a cosine. A run that is killed continues after its
# last epoch and ends with the same bits: clips, like everything random, are drawn from a stream
# named by the seed and the epoch.

# %%
options = {"device": device, "processes": processes}
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
# **What one sees.** The score is the single-trial correlation over frames of whole oracle trials,
# put together from clips, averaged over all neurons of all mice: the number the competition ranked
# by. The published code validated on random clips instead, a number comparable to no score, and
# kept its last epoch; here the best epoch is marked and kept. Correlations over single trials of
# single frames are small even for a perfect model, because the neurons are noisy and a thirtieth of
# a second is short.
#
# Next: `03_predict` moves the trained windows along films the network never saw.
