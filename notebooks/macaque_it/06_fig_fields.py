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
# # 06 · Fields
#
# **Does a site see the whole image, or a part of it?**
#
# A dense linear map gives every feature a weight at every place of a map: a quarter of a million
# weights for each site, most of them about parts of the image the site does not see. A site with
# a receptive field needs few: where it looks, and what it looks for (Klindt et al. 2017; St-Yves &
# Naselaris 2018). Here *where* is one of many Gaussian windows, in recordings 49 places in four
# sizes and the whole image, and *what* is a ridge regression from the features seen through it.
# For each site the window is taken whose regression predicts held-out training images best. The
# whole maps are always added with the same total weight, so that a site may still use them.
#
# In V4 fields are small, and the gain is large. In IT fields are large, and it may be nothing.
#
# The answer is the last table: layers alone, several together, and through windows.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.data.session import open_sessions
from src.evaluation.intervals import comparison_table, load_results
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
resamples: int = 2000  # bootstrap resamples of the scored images
seed: int = 42  # seed of the bootstrap

# %%
study = STUDIES["macaque_it"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = {name: places.tables / f"06_{name}.csv" for name in ("fields", "gains", "medians")}
declare(*tables.values(), places.figures / "06_windows.png", places.figures / "06_gains.png")

# %% [markdown]
# ## Where sites look

# %%
name = next(probe.name for probe in settings.probes if probe.kind == "fields")
units = pd.read_csv(note_input(places.tables / f"03_{name}_units.csv"))
units["sigma"] = units["sigma"].astype(float).fillna(np.inf)
save_table(units, tables["fields"])
whole = ~np.isfinite(units["sigma"])
print(f"{whole.sum()} of {len(units)} units take the whole image")
sizes = units[~whole].groupby("session")["sigma"]
sizes.describe()[["count", "25%", "50%", "75%"]].round(2)

# %%
use_style()
sessions = units["session"].unique()
figure, axes = plt.subplots(
    1, len(sessions), figsize=(max(1.9 * len(sessions), 4), 2.6), squeeze=False
)
for axis, session in zip(axes[0], sessions, strict=True):
    panels.windows(axis, units[units["session"] == session])
    axis.set_title(session)
    axis.label_outer()
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "06_windows.png")

# %% [markdown]
# **What one sees.** Circles of one standard deviation, darker where the prediction is good. Sites
# of one session were recorded with one array in one patch of cortex, so their fields should lie
# together, and nothing in the fit makes them. Simulated sites read a map averaged over a grid of
# four by four cells with random signs, and have no field: their windows are scattered.
#
# ## What it gains
#
# The single layer is the one of the same networks that predicts held-out training images best;
# everything else was chosen on them too. Recordings are also scored on their second half after
# fitting on their first, as the published numbers are.

# %%
asked = [p for p in settings.probes if p.kind in ("layers", "combined", "fields")]
made = {p.name: pd.read_csv(note_input(places.tables / f"03_{p.name}.csv")) for p in asked}
splits = {p.split: [q for q in asked if q.split == p.split] for p in asked}
kinds = {
    split: {q.kind: q.name for q in probes if q.kind != "layers"}
    for split, probes in splits.items()
}
kinds

# %%
systems, layer = {}, {}
for split, probes in splits.items():
    table = pd.concat(made[q.name].assign(probe=q.name) for q in probes)
    systems[split] = {row.system: f"{row.probe}/{row.system}" for row in table.itertuples()}
    inside = table.groupby("system")["ev, held out"].mean().drop(list(kinds[split].values()))
    seen = next(q for q in probes if q.kind == "fields").networks
    layer[split] = inside[inside.index.str.rsplit("_", n=1).str[0].isin(seen)].idxmax()
layer

# %%
opened = open_sessions(places.processed, InputConfig(scale="full"))
draws = {"resamples": resamples, "metrics": ("avg",)}
gains = []
for split, (ours, *others) in {
    s: (k["fields"], layer[s], k["combined"]) for s, k in kinds.items()
}.items():
    results = load_results(opened, places.predictions, systems[split], tier=None)
    pairs = [(ours, other) for other in others]
    found = comparison_table(results, pairs, numpy_stream(seed, split), **draws)
    gains.append(found.assign(split=split))
gains = pd.concat(gains)
save_table(gains, tables["gains"])
gains.round(3)

# %%
medians = []
for split, probes in splits.items():
    table = pd.concat(made[q.name] for q in probes)
    kept = table[table["system"].isin([layer[split], *kinds[split].values()])]
    wide = kept.pivot_table("median r", "session", "system", sort=False)
    medians.append(wide.assign(split=split))
medians = pd.concat(medians).reset_index()
save_table(medians, tables["medians"])
medians.round(3)

# %%
rows = gains[gains["session"].str.startswith("mean") | (gains["split"] == "halves")]
halves = rows["split"].map({"halves": ", halves", "official": ""})
names = rows["session"].replace("mean of 1", "all units") + halves + ": windows − " + rows["other"]
rows = rows.assign(score=rows["difference"], label=names)
figure, axis = plt.subplots(figsize=(8, 0.8 + 0.28 * len(rows)))
panels.interval_rows(
    axis, rows.drop(columns="difference"), "difference of r, mean over units", zero=True
)
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "06_gains.png")

# %% [markdown]
# **What one sees.** Each row is a paired difference with its interval over images: to the right
# of zero, looking through a window is better. On recorded V4, where fields are small, it is better
# by a wide margin, over the best layer and over several layers together. Simulated sites read the
# whole image, coarsely: over several layers together a window adds little, which is as it should
# be, and what it gains over a single layer is mostly what several layers gain. A method that gained
# as much where there are no fields would have found something else.
