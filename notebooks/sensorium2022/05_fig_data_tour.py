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
# # 05 · A tour of the data
#
# **What does such a recording look like, before any model?**
#
# A score is a number about data that one should have seen. This tour draws the recording itself:
# who was recorded, how many images each mouse saw, what a population response looks like, what
# the animal did meanwhile, and where the cells lie. It is the counterpart of figures 1 and 2 of
# the competition paper (Willeke et al. 2022). It reads the packed recording of `01_preprocess`
# and no model.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.config import InputConfig
from src.data.session import open_sessions
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure
from src.paths import run_paths
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
session: str = ""  # the mouse to show; empty: the first one with test responses
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
names = ("05_sessions", "05_raster", "05_images")
figures = {name: places.figures / f"{name}.png" for name in names}
declare(*figures.values())
use_style()

# %% [markdown]
# ## Who was recorded
#
# In the real data set, seven mice. Five are public in full; two belong to the competition, and
# their test responses are withheld. Most images are shown once; the repeated part is what scores
# are made of.

# %%
table = pd.read_csv(note_input(places.tables / "sessions.csv"))
figure, axes = plt.subplots(1, 2, figsize=(9, 3))
panels.units_per_session(axes[0], table)
panels.images_per_session(axes[1], table)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["05_sessions"])

# %% [markdown]
# **What one sees.** Mice differ little in size. Red marks the competition mice. The boxed part of
# each bar is the test set: few images, many trials.
#
# ## What a population does
#
# Two hundred trials by up to two hundred neurons, in units of each neuron's standard deviation,
# with what the animal did in the same trials below: how wide its pupil was, and how fast it ran.

# %%
inputs = InputConfig(scale="full", behavior=True, pupil=True)
sessions = open_sessions(places.processed, inputs)
scored = [key for key, s in sessions.items() if not s.withheld("test")]
shown = sessions[session or scored[0]]
trials = shown.trials("train")[:200]
batch = shown.batch(trials)
print(shown.key, "(n_trials, n_units) =", tuple(batch.responses.shape))

# %%
figure, axes = plt.subplots(
    2, 1, figsize=(9, 5), height_ratios=(3, 1.2), sharex=True, layout="constrained"
)
panels.response_raster(axes[0], batch.responses[:, :200].numpy())
if not shown.behavior_missing:
    panels.behavior_traces(axes[1], batch.behavior.numpy(), batch.pupil.numpy())
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["05_raster"])

# %% [markdown]
# **What one sees.** Activity is sparse: most neurons are silent in most trials, and a few respond
# strongly. Dark vertical stripes are trials in which many neurons respond together; often they
# are trials of running or of a wide pupil. No image explains those, which is why models with
# behavior do better.
#
# ## Five images and their responses

# %%
picked = shown.unique_images("train")[:5]
five = shown.batch(picked)
figure, axes = plt.subplots(2, 5, figsize=(9, 3), height_ratios=(1.3, 1))
for column, image, responses in zip(axes.T, five.images, five.responses, strict=True):
    panels.stimulus(column[0], image.numpy())
    panels.response_bars(column[1], responses.numpy())
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["05_images"])

# %% [markdown]
# **What one sees.** Different images drive different neurons. A model has to say, from the pixels
# alone, which ones and how strongly. These are single trials: shown again, the same image would
# raise some of the same bars and miss others. How much of each bar is signal is the question of
# the ceilings in `04_evaluate`.
#
# ## Where the cells are
#
# Cell bodies in a piece of cortex some 600 um across, seen from above. Color is the mean
# response.

# %%
if shown.coordinates is None:
    print("this recording came without coordinates")
else:
    figure, axis = plt.subplots(figsize=(5, 4.2))
    panels.soma_cloud(axis, shown.coordinates, shown.mean_response)
    if simulated:
        mark_simulated(figure)
    save_figure(figure, places.figures / "05_soma.png")

# %% [markdown]
# **What one sees.** Active and quiet cells are mixed; no corner of the field is dead. Position
# says little about how *much* a neuron responds, but much about *where* in the image it looks:
# `06_fig_retinotopy`.
