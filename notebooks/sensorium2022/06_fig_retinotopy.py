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
# # 06 · Retinotopy
#
# **Do the readout positions a network learned form a map of the visual field on the cortex, and
# is that a finding or an assumption?**
#
# Neighboring neurons in V1 look at neighboring places: the cortex carries a map of the visual
# field. The network learns, for every neuron, where in the image it reads. Drawn on the neuron's
# place in cortex, these positions should form a map.
#
# There is a catch. In the published models the reading position *is* a smooth function of the
# cell's place: a small network turns soma position into image position. Whatever it learns,
# neighbors will look at neighboring places. Smooth maps hold by construction and prove nothing.
# So two controls are drawn beside it:
#
# - **shuffled**: soma positions are permuted among the neurons. An affine map fitted to them
#   should explain nothing.
# - **free positions**: a model whose neurons find their place without knowing where their cell
#   body lies. If *their* positions follow the cortex, the data said so, not the architecture.
#
# The answer is the last table: how much of the positions' variance an affine map of the cortex
# explains, in each case.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.analyses.retinotopy import held_out_r2, limits, position_colors, shuffled_null
from src.evaluation.permutation import p_value
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = ""  # model whose maps are drawn; empty: the profile's first wide one
shuffles: int = 500  # permutations of the soma positions
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of folds and permutations

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
models = [plan.model.name for plan in settings.main]
model = model or next(name for name in models if name.startswith("wide"))
maps_path, null_path = places.figures / "06_maps.png", places.figures / "06_null.png"
declare(maps_path, null_path, places.tables / "retinotopy.csv")

# %% [markdown]
# ## Positions in the image, positions in cortex
#
# Everything here is read from tables: where each cell body lies, from `04_evaluate`, and where
# each neuron reads, from `03_predict`.

# %%
units = pd.read_csv(note_input(places.tables / "units.csv"))
soma = units[units["model"] == units["model"].iloc[0]][["session", "unit_id", "x", "y"]]
positions = pd.concat(
    pd.read_csv(note_input(places.tables / f"positions_{name}.csv")).assign(model=name)
    for name in models
).merge(soma, on=["session", "unit_id"])
positions.groupby(["model", "session"], sort=False).size().unstack()

# %% [markdown]
# ## The maps
#
# Each place in the image has a color, mixed from those of its four corners. Above, each cell body
# is drawn in cortex, in the color of the place it reads. Below are those places themselves; the
# square is the legend.

# %%
use_style()
drawn = positions[positions["model"] == model]
keys = list(drawn["session"].unique()[:5])
low, high = limits(drawn[["mu_x", "mu_y"]].to_numpy())
figure, axes = plt.subplots(2, len(keys) + 1, figsize=(9, 4), layout="constrained")
for column, key in zip(axes.T, keys, strict=False):
    one = drawn[drawn["session"] == key]
    colors = position_colors(one[["mu_x", "mu_y"]].to_numpy(), low, high)
    panels.retinotopy_map(column[0], one[["x", "y"]].to_numpy(), colors)
    panels.position_scatter(column[1], one[["mu_x", "mu_y"]].to_numpy(), colors)
    column[0].set_title(key)
panels.color_square(axes[0, -1], low, high)
axes[1, -1].set_axis_off()
if simulated:
    mark_simulated(figure)
save_figure(figure, maps_path)

# %% [markdown]
# **What one sees.** Colors change smoothly over the cortex, in every mouse. For this model they
# must: that is how it is built. The maps of different mice need not agree in direction, because
# each was placed under the microscope in its own way.
#
# ## The controls
#
# For each model and mouse, an affine map from soma position to reading position is fitted to nine
# tenths of the neurons, and its R² is computed on the rest. The same is done with reading
# positions handed to other neurons at random. `cnn_free` is the model that was never told where
# its cell bodies lie.

# %%
rows, nulls = [], {}
for (name, key), one in positions.groupby(["model", "session"], sort=False):
    xy, mu = one[["x", "y"]].to_numpy(), one[["mu_x", "mu_y"]].to_numpy()
    observed = float(held_out_r2(xy, mu, numpy_stream(seed, "folds", name, key)))
    null = shuffled_null(xy, mu, numpy_stream(seed, "shuffle", name, key), shuffles)
    nulls[name, key] = null
    rows.append((name, key, len(one), observed, null.mean(), p_value(observed, null)))
table = pd.DataFrame(rows, columns=["model", "session", "units", "r2", "r2 shuffled", "p"])
save_table(table, places.tables / "retinotopy.csv")
table.round(3)

# %%
controls = [model, *(name for name in models if name == "cnn_free")]
figure, axes = plt.subplots(1, len(controls), figsize=(4.5 * len(controls), 3), squeeze=False)
for axis, name in zip(axes[0], controls, strict=True):
    row = table[(table["model"] == name) & (table["session"] == keys[0])].iloc[0]
    panels.null_histogram(axis, nulls[name, keys[0]], row["r2"])
    axis.set_title(f"{name}, {keys[0]}", pad=20)
if simulated:
    mark_simulated(figure)
save_figure(figure, null_path)

# %% [markdown]
# **What one sees.** Left, the model with positions tied to the cortex: R² near 1, far outside the
# shuffled values, and by construction. Right, free positions: they are noisier, since each neuron
# had to find its place alone, from some hundred images. If their R² still lies outside the null,
# there is a map in the data. Only this second panel is evidence of retinotopy.
