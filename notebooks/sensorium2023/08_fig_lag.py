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
# # 08 · Lag
#
# **A window's outputs have different ages. Which are good, and is averaging them worth it?**
#
# The published network reads a clip of 30 frames and gives 15 outputs. Output k is made from the
# token of frames 2k and 2k + 1, yet is trained to say what neurons do in frame 15 + k. So the first
# output speaks about a moment half a second after its own token, and the last about now. What the
# first output knows of the frames in between it can only have from other tokens, through
# attention; and it may know more than it should: nothing keeps attention from looking ahead, to
# frames that come after the one it speaks about. A *causal* variant of the network, in which no
# token sees a later one, shows what looking ahead is worth.
#
# A convolution without padding in time has no such ages: each output has seen the same number of
# frames before its own, and none after.
#
# If outputs differ in what they know, several windows that see the same frame at different ages
# may be averaged. It costs as many windows as there are ages. The answer is in two panels.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository

# %%
study = STUDIES["sensorium2023"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = [places.tables / f"{name}.csv" for name in ("lag_steps", "lag_overlaps")]
picture = places.figures / "08_lag.png"
declare(*tables, picture)
use_style()

# %% [markdown]
# ## Each step on its own
#
# `03_predict` moved windows by a few frames over some oracle trials and correlated each output
# step with what was measured in its frames, per unit, over all windows.

# %%
names = [p.model.name for p in (*settings.main, *settings.asked("08_fig_lag"))]
steps = pd.concat(
    pd.read_csv(note_input(places.tables / f"lags_{name}.csv")).assign(model=name) for name in names
)
steps = steps.groupby(["model", "step", "lag"], sort=False)["score"].mean().reset_index()
save_table(steps, tables[0])
steps.pivot_table(index="model", columns="step", values="score", sort=False).round(3)

# %% [markdown]
# ## Windows that overlap
#
# `last` takes for each frame the output of the latest step, of least age; `mean` averages all
# windows that see it. With windows laid end to end the two are the same but at the trial's end.

# %%
overlaps = pd.concat(
    pd.read_csv(note_input(places.tables / f"overlaps_{name}.csv")).assign(model=name)
    for name in names
)
keys = ["model", "stride", "overlap"]
overlaps = overlaps.groupby(keys, sort=False)["score"].mean().reset_index()
save_table(overlaps, tables[1])
overlaps.pivot_table(index="model", columns=["stride", "overlap"], values="score").round(4)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.4))
panels.step_curves(axes[0], steps)
panels.overlap_rows(axes[1], overlaps)
if simulated:
    mark_simulated(figure)
save_figure(figure, picture)

# %% [markdown]
# **What one sees.** Left, the score of each output step, counted back from the clip's last frame.
# Where a curve is flat, attention has carried what was needed to all tokens; where it rises towards
# the right, early outputs guess. Steps of a convolution differ by chance alone. Right, the same
# models stitched in different ways. Averaging windows can only help as far as their errors differ,
# and it is the cheapest ensemble there is: one network, trained once, shown each frame several
# times. Both panels rest on few trials, and differences of a few thousandths mean nothing here.
