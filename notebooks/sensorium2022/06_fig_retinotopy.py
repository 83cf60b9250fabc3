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
# **Do the readout positions a network learned form a map of the visual field on the cortex, and is that a
# finding or an assumption?**
#
# Neighbouring neurons in V1 look at neighbouring places: the cortex carries a map of the visual field. The
# network learns, for every neuron, where in the image it reads. Drawn on the neuron's place in cortex, these positions should form
# a map.
#
# There is a catch. In the published models the reading position *is* a smooth function of the cell's place: a small
# network turns soma position into image position. Whatever it learns, neighbours will look at neighbouring
# places. Smooth maps hold by construction and prove nothing. So two controls are drawn beside it:
#
# - **shuffled**: soma positions are permuted among the neurons. An affine map fitted to them should explain nothing.
# - **free positions**: a model whose neurons find their place without knowing where their cell body lies. If
#   *their* positions follow the cortex, the data said so, not the architecture.
#
# The answer is the last table: how much of the positions' variance an affine map of the cortex explains, in each case.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.analyses.retinotopy import affine_r2, position_colors, shuffled_r2
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
shuffles: int = 200  # permutations of the soma positions
seed: int = 42  # seed of the permutations

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
declare(places.tables / "retinotopy.csv", places.figures / "06_maps.png")
use_style()
