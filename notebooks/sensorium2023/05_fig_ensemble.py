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
# # 05 · The ensemble
#
# **What do many members of one kind buy, and does it matter which?**
#
# The second-placed team handed in the mean of 31 networks. They had the same core, the same data
# and even the same seed; they differed only in the readout: which of four levels of feature sharing
# it has, and whether levels are averaged or weighted by gates. Two things can then happen. If
# members err in different ways, their mean errs less. If they are all but the same network, the
# mean is one more of them, at many times the price.
#
# Both can be read from the predictions of the single members, one file each, without training
# anything again. In the demo there are a handful of members; in the `full` profile there are all
# 31, in the order of the published code: first the readout without levels, then for each subset of
# levels the averaged and the gated one.
#
# Scores are single-trial correlations over the frames of natural test films, of mice whose
# responses are public. The answer is in the first figure: a curve that flattens.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.correlation import pearson
from src.data.movies import open_movie_sessions
from src.evaluation.members import member_curve
from src.evaluation.movie_results import load_movie_results
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
subsets: int = 6  # ensembles of each size that are averaged
resamples: int = 200  # of test films, for intervals
seed: int = 0  # of the subsets and the resamples

# %%
study = STUDIES["sensorium2023"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = [places.tables / f"{name}.csv" for name in ("ensemble_members", "ensemble_likeness")]
picture = places.figures / "05_ensemble.png"
declare(*tables, picture)
use_style()

# %% [markdown]
# ## The members
#
# Every plan of the profile whose readout has this study's levels is a member, in the order they
# are listed in.

# %%
plans = [plan for plan in settings.plans if hasattr(plan.model.readout, "levels")]
plans = [plan for plan in plans if plan.question in ("", "05_fig_ensemble")]
names = [plan.model.name for plan in plans]
print(len(names), "members:", ", ".join(names))

# %%
sessions = open_movie_sessions(places.processed, InputConfig(scale="full"))
tiers = ("live_test_main", "final_test_main")
results = load_movie_results(sessions, places.predictions, {n: n for n in names}, tiers)
single = [found.resampled("single") for found in results]
print("(frames, units):", *(found.responses.shape for found in results))

# %% [markdown]
# ## How many members?
#
# For each size, ensembles of that many members are drawn and scored, and the scores averaged, so
# that the curve does not hang on an order. Intervals are over films: frames of one film are not
# independent, and repeats of one film even less so.

# %%
random = numpy_stream(seed, "members")
curve = member_curve(single, random, most=subsets, resamples=resamples).assign(model="members")
save_table(curve, tables[0])
curve[["members", "subsets", "score", "low", "high", "worst", "best"]].round(4)

# %% [markdown]
# ## How alike are they?
#
# The correlation of two members' predictions, per unit over all frames, averaged over units. If it
# is near 1 there is little for an average to remove.

# %%
stacked = [np.stack([found.predictions[n] for n in names]) for found in results]
alike = np.array(
    [
        [np.mean(np.concatenate([pearson(x[i], x[j]) for x in stacked])) for j in range(len(names))]
        for i in range(len(names))
    ]
)
likeness = pd.DataFrame(alike, index=pd.Index(names, name="model"), columns=names)
save_table(likeness.reset_index(), tables[1])
likeness.round(2)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.4))
panels.members_curve(axes[0], curve)
picture_of = axes[1].imshow(alike, vmin=0, vmax=1, cmap="cividis")
figure.colorbar(picture_of, ax=axes[1], label="correlation of predictions")
axes[1].set_xticks(range(len(names)), [n.replace("_", " ") for n in names], rotation=90)
axes[1].set_yticks(range(len(names)), [n.replace("_", " ") for n in names])
if simulated:
    mark_simulated(figure)
save_figure(figure, picture)

# %% [markdown]
# **What one sees.** Left, the score against the number of members. Most of what an ensemble brings
# comes with the first few; the bars, over films, are wide because there are few films, and much
# wider than the gain, which is measured on the same films. Right, how alike the members are. An
# average removes what they do not share. Members that say nearly the same, because they have
# converged or because they have all found the same little so far, are nearly one network, and the
# thirtieth adds little. A cheaper ensemble of a few different architectures or seeds may then be
# worth more than all subsets of one readout.
#
# Published: the authors call their gain from the gated half of the members insignificant.
