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
# # 15 · Attention
#
# **Where does a vision transformer look when it predicts a mouse's visual cortex, does that follow
# the image, and does it follow the mouse's state?**
#
# The other models of this study are convolutions: what a feature is at one place, it is at every
# place, and far places never meet. V1T (Li et al. 2023) cuts the image into overlapping patches,
# calls each a *token*, and lets every token attend to every other in a few blocks. Before each
# block a small network adds what the mouse is doing, its pupil, its running, to all tokens. Its
# authors report 12.7 % higher correlations than a CNN, and draw *attention maps*: where in the
# image the network's attention leads. This notebook is the counterpart of those maps.
#
# Such maps persuade easily, because each is stretched from its smallest to its largest value. An
# untrained network draws contours as well. So three controls are drawn beside them:
#
# - **untrained**: the same network with its first, random weights.
# - **shuffled positions**: the trained network, its patches told they are somewhere else.
# - **another image**: does a map agree with its own image more than with other images?
#
# The answer to the first question is the second figure, to the second the third.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.analyses import attention
from src.config import ViTCoreConfig
from src.data.session import open_sessions
from src.evaluation.bootstrap import Draws
from src.evaluation.intervals import comparison_table, interval_table, load_results
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.models.encoder import Encoder
from src.paths import run_paths
from src.seeds import numpy_stream, stream
from src.studies import STUDIES
from src.training.checkpoint import load_encoder

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = ""  # model whose attention is followed; empty: the profile's vision transformer
images: int = 40  # test images whose attention is followed
splits: int = 20  # random splits of the trials, beside that by the size of the pupil
resamples: int = 1000  # bootstrap resamples of the test images
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of the controls and of the bootstrap

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
vits = (p.model.name for p in settings.plans if isinstance(p.model.core, ViTCoreConfig))
model = model or next(vits)
plan = settings.plan(model)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
names = ("15_scores", "15_maps", "15_controls", "15_state")
figures = {name: places.figures / f"{name}.png" for name in names}
tables = {name: places.tables / f"attention_{name}.csv" for name in ("scores", "controls", "state")}
declare(*figures.values(), *tables.values())
use_style()

# %% [markdown]
# ## The network
#
# The published core cuts a 36 x 64 image into patches of 8 x 8 with stride 1: 29 x 57 = 1653
# tokens of 155 numbers, four blocks, 2,465,200 weights. That is for a GPU and eight thousand
# neurons a mouse. **The demo's is small**: larger patches further apart, two blocks, 32 numbers a
# token, and a readout that starts closer to its mark. What follows shows how such a network is
# examined; it does not repeat what V1T found.

# %%
sessions = open_sessions(places.processed, plan.model.inputs)
encoder = load_encoder(note_input(places.member(model, 1) / "weights.pt"), sessions)
core = encoder.core
size = sum(weights.numel() for weights in core.parameters())
print("tokens (h', w') =", core.grid, f"of {core.channels} numbers; {size:,} weights in the core")
core.config

# %% [markdown]
# ## Its score
#
# The transformer beside the other models that have one member, on the same test trials, with
# intervals over images. Mind what each one sees: the transformer is told the mouse's state; of
# the others only those with "plus" in their name are.

# %%
main = [plan.model.name for plan in settings.main]
systems = [name for name in ("ln", "cnn", "cnn_plus") if name in main] + [model]
places_of = {name: f"{name}/member_01" for name in systems}
results = load_results(sessions, places.predictions, places_of)
print("scored:", ", ".join(systems))

# %%
pairs = [(model, name) for name in systems[:-1]]
differences = comparison_table(results, pairs, numpy_stream(seed, "differences"), resamples)
save_table(differences, tables["scores"])
differences[differences["session"].str.startswith("mean")].drop(columns="session").round(3)

# %%
scores = interval_table(results, numpy_stream(seed, "scores"), resamples)
figure, axis = plt.subplots(figsize=(5.5, 3.2))
panels.score_intervals(axis, scores[scores["session"].str.startswith("mean")])
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["15_scores"])

# %% [markdown]
# **What one sees.** One training run of each model, so an interval tells of other images, not of
# other random starts. Where the transformer stands better on single trials than on means over
# repeats, it is the state that helps: repeats average it out. A transformer has to learn from the
# data what a convolution has built in, that a feature is the same feature everywhere, and with few
# images that is a handicap; the published comparison, on 4,500 images a mouse, ends in its favor.
#
# ## Following attention through the blocks
#
# In one block, a token's output is a weighted mean over all tokens, and the weights are its
# attention. But the tokens of the second block are already mixtures. *Roll-out* (Abnar and
# Zuidema 2020) multiplies the blocks through: take the largest weight of all heads, add the
# identity for the path around the block, scale rows to sum to one, and multiply. The row of the
# extra token CLS is the map, stretched from its smallest to its largest value and resized.
#
# One thing to know about CLS: it is dropped before the readout, so nothing in training asks it to
# look anywhere useful in the last block. It sees with the queries that the patches have learned.

# %%
shown = next(s for s in sessions.values() if not (s.withheld("test") or s.behavior_missing))
picked = shown.unique_images("test")[:images]
states = shown.batch(shown.trials("train"))  # what the mouse did in all training trials
batch = attention.behaving_as(shown.batch(picked), states)
networks = {
    "trained": encoder,
    "untrained": Encoder(encoder.config, encoder.sessions, seed).eval(),
    "shuffled positions": attention.with_shuffled_positions(encoder, stream(seed, "positions")),
}
maps = {name: attention.attention_maps(e, batch, shown.key) for name, e in networks.items()}
print(shown.key, "(n_images, h', w') =", maps["trained"].shape)

# %%
columns = range(min(5, len(picked)))
figure, axes = plt.subplots(4, len(columns), figsize=(9, 4.4), layout="constrained")
for column in columns:
    panels.stimulus(axes[0, column], batch.images[column].numpy())
for row, (name, found) in zip(axes[1:], maps.items(), strict=True):
    row[0].set_ylabel(name.replace(" ", "\n"))
    for axis, drawn in zip(row, attention.displayed(found, shown.image_shape[1:]), strict=False):
        panels.attention_map(axis, drawn)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["15_maps"])

# %% [markdown]
# **What one sees.** Every row has bright and dark places, the untrained network's too: the
# stretching sees to that. Whether a map says something about its image has to be counted.
#
# ## Do the maps follow the image?
#
# The simplest things to attend to are light and contrast. Each map is correlated, over places,
# with the brightness (mean of each patch) and the contrast (standard deviation) of its own image
# and, as a control, of the other images. A map that is the same for all images, a habit of looking
# at the center for example, scores alike on both. Only the difference follows the image.

# %%
features = attention.patch_statistics(batch.images, core.config.patch, core.config.stride)
draws = Draws.make(np.arange(len(picked)), resamples, numpy_stream(seed, "images")).weights
controls = attention.agreement_table(maps, features, draws)
save_table(controls, tables["controls"])
controls[controls["kind"] == "difference"].round(3)

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), sharey=True)
for axis, (feature, part) in zip(axes, controls.groupby("feature", sort=False), strict=True):
    part = part[part["kind"] != "difference"]
    panels.control_intervals(axis, part, f"correlation of attention and {feature}")
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["15_controls"])

# %% [markdown]
# **What one sees.** Where the dark mark (own image) lies apart from the light one (other images),
# attention follows the image; the table has the difference with its interval over images. Above
# zero attention goes to what is bright or rich in contrast, below zero it avoids it. A light mark
# away from zero is a map common to all images.
#
# Look at the untrained network first. In the demo its maps agree with the brightness of their own
# image no less than those of the trained one: random weights, too, tell bright patches from dark
# ones. So agreement alone is no sign of learning; what training did is the difference between the
# two rows. Shuffled positions tell what is looked for: where they change nothing, a patch is
# attended to for what it shows, not for where it is.
#
# ## Does attention follow the mouse's state?
#
# The same images, once with the mean state of the third of the training trials with the smallest
# pupil, once with that of the largest. The share of attention that is elsewhere in the second map
# (total variation, 0 to 1) is set against two references: how much moves between two *random*
# thirds of the trials, and how much moves when another *image* is shown.

# %%
pupil = states.behavior[:, 0].numpy()
random = numpy_stream(seed, "thirds")
orders = [np.argsort(pupil), *(random.permutation(len(pupil)) for _ in range(splits))]
few = shown.batch(picked[:4])

# %%
rows, kept = [], {}
for name in ("trained", "untrained"):
    pairs = [
        attention.of_outer_thirds(networks[name], few, shown.key, states, order) for order in orders
    ]
    shares = np.array([attention.moved(*pair).mean() for pair in pairs])
    image = attention.moved(maps[name][:-1], maps[name][1:]).mean()
    rows.append((name, shares[0], shares[1:].mean(), shares[1:].max(), image))
    kept[name] = pairs[0], shares
state = pd.DataFrame(
    rows, columns=["network", "pupil thirds", "random thirds", "largest random", "another image"]
)
save_table(state, tables["state"])
state.round(5)

# %%
(small, large), shares = kept["trained"]
figure, axes = plt.subplots(1, 4, figsize=(11, 2.6), width_ratios=(1, 1, 1.2, 1.2))
for axis, found, title in zip(axes, (small, large), ("small pupil", "large pupil"), strict=False):
    mean = found.mean(axis=0, keepdims=True)
    panels.attention_map(axis, attention.displayed(mean, shown.image_shape[1:])[0])
    axis.set_title(title)
panels.attention_change(axes[2], (large - small).mean(axis=0))
axes[2].set_title("large − small")
panels.null_histogram(axes[3], 100 * shares[1:], 100 * shares[0], "attention moved (%)")
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["15_state"])

# %% [markdown]
# **What one sees.** Left, mean maps over four images; then what is attended to more (red) and
# less (blue) with a large pupil. Right, the share of attention that moves with the pupil's size
# against random splits of the same trials. That it lies outside them is no surprise, since the
# network is told the state and computes with it. The question is how much: the table sets it
# beside what another image moves.
#
# ## The answer
#
# An attention map of one trained network is a picture of that network, not of a mouse. What can be
# defended is in the tables: how much more its maps agree with their own image than with others,
# whether the untrained network already does so, and how small or large the part of the state is
# beside that of the image. Where the differences are within their intervals, the honest reading of
# the map is that it shows nothing.
