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
# # 07 · Levels
#
# **Does it help if neurons that are neighbors by number share features?**
#
# The published readout is called hierarchical. Beside its own feature vector each neuron gets
# those of a group of 2, 4, 8 and 16 neurons, each group with one vector and one position, sent
# through a small scalar function. The hierarchy is not one of space or of features: a group is a
# run of consecutive *numbers* in the file. Since units are sorted by the plane they were recorded
# in, and within a plane by the order in which they were found, neighbors by number are weak
# neighbors in cortex: the median distance in a plane is 67 to 95 micrometers, against 305 to 314
# for random pairs.
#
# So there are three questions. Does any subset of levels predict better than none? Do the levels
# carry weight, or does the network switch them off? And would groups made by distance in cortex do
# better? In the simulated cortex the answer is planted: in most mice units of like tuning are
# neighbors in cortex, in one they are neighbors by number.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.config import InputConfig
from src.data.movies import open_movie_sessions
from src.evaluation.movie_results import load_movie_results, movie_intervals
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
resamples: int = 200  # of test films, for intervals
seed: int = 0  # of the resamples

# %%
study = STUDIES["sensorium2023"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = [places.tables / f"{name}.csv" for name in ("level_scores", "level_shares")]
picture = places.figures / "07_levels.png"
declare(*tables, picture)
use_style()

# %% [markdown]
# ## Subsets of levels
#
# Each is a training of its own. `0` has no levels and is an ordinary Gaussian readout.

# %%
plans = {
    p.model.name: p.model.readout for p in settings.plans if hasattr(p.model.readout, "levels")
}
sessions = open_movie_sessions(places.processed, InputConfig(scale="full"))
tiers = ("live_test_main", "final_test_main")
results = load_movie_results(sessions, places.predictions, {n: n for n in plans}, tiers)
intervals = movie_intervals(results, seed, resamples)
intervals.head()

# %%
scores = intervals[(intervals["metric"] == "single") & intervals["session"].str.startswith("mean")]
scores = scores.assign(
    fusion=scores["model"].map({n: r.fusion for n, r in plans.items()}),
    grouping=scores["model"].map({n: r.grouping for n, r in plans.items()}),
    mode=scores["model"].map({n: "_".join(map(str, r.levels)) or "0" for n, r in plans.items()}),
)
save_table(scores, tables[0])
scores[["model", "mode", "fusion", "grouping", "score", "low", "high"]].round(4)

# %% [markdown]
# ## What the levels contribute
#
# `03_predict` kept, for each model and mouse, the mean weight of each level and how much its share
# of the prediction moves over time. A level that does not move adds a constant, which the bias
# could have done.

# %%
shares = pd.concat(
    pd.read_csv(note_input(places.tables / f"levels_{name}.csv")).assign(model=name)
    for name in plans
)
save_table(shares, tables[1])
shares.pivot_table(index="model", columns="level", values="contribution").round(3)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.2))
panels.level_rows(axes[0], scores[scores["grouping"] == "index"])
panels.level_shares(axes[1], shares)
if simulated:
    mark_simulated(figure)
save_figure(figure, picture)

# %% [markdown]
# **What one sees.** Left, the score of each subset of levels; the bars are intervals over films.
# With subsets whose intervals overlap as much as here, no ranking of them should be believed, and
# none is claimed in the paper. Right, how much each level moves, against the units that share it.
# Units' own features (one unit a group) should move most. What larger groups add is common to all
# of their members, much like a slow drift of the whole group that follows the film; it can help
# where single units have little data, and in the simulated cortex it helps most where tuning is
# shared by the groups. Groups by distance in cortex, where a profile trains them, stand in the
# table above.
