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
# # 04 · Evaluate
#
# **How much of what can be explained does each model explain, and which differences are real?**
#
# Three numbers a voxel. The correlation ρ of the prediction with responses to test images, with
# single trials as published, and with means over three trials. The noise ceiling: the percent of
# variance that is signal at all. And the percent of the signal that is explained, 100 ρ² in percent
# of the ceiling, both for means over the same trials. A voxel whose ceiling is below 1 % has no
# such number. It is not clipped, and may exceed 100 by chance.
#
# The four networks that were trained on one area each are put together, so that `gnet8r` is one
# model of all voxels as `gnet8j` is. Whether one trunk for all areas is worse than four is then a
# question of paired differences: the same voxels, the same test images.
#
# Intervals are from resamples of test *images*, each with all of its trials, the same ones for all
# models. The published ones drew trials, of which three belong together, and for each model anew;
# both make differences look less certain or more certain than they are. The profile `legacy` does
# it all the same. A second interval draws voxels as well.
#
# The answer is the table of scores and the first figure.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.data.session import open_sessions
from src.evaluation.bootstrap import Resamples, unit_samples
from src.evaluation.ceilings import noise_ceiling, signal_explained
from src.evaluation.intervals import comparison_table, interval_table, load_results
from src.evaluation.metrics import Repeats
from src.evaluation.prediction import load_prediction, save_prediction, side_by_side
from src.evaluation.scores import readable, summary_table, unit_table
from src.figures import panels
from src.figures.style import mark_simulated, model_color, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES
from src.studies.nsd_gnet import caution

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # of the resamples
resamples: int = 1000  # of test images

# %%
study = STUDIES["nsd_gnet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
names = ("scores", "units", "areas", "intervals", "comparisons", "published")
tables = {name: places.tables / f"04_{name}.csv" for name in names}
tables["scores"] = places.tables / "scores.csv"
declare(*tables.values(), places.figures / "04_scores.png", places.figures / "04_trunks.png")
declare(places.figures / "04_voxels.png")

# %% [markdown]
# ## Predictions

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
parts = [plan.model.name for plan in settings.main if plan.area]
for key in sessions:
    found = [load_prediction(places.predictions / name / f"{key}.npz") for name in parts]
    save_prediction(side_by_side(found), places.predictions / "gnet8r" / f"{key}.npz")
whole = [plan.model.name for plan in settings.main if not plan.area]
systems = {name: name for name in (*(p.name for p in settings.probes), *whole, "gnet8r")}
results = load_results(sessions, places.predictions, systems, tier=None)  # those predicted
print(", ".join(f"{x.session}: (n_trials, n_units) = {x.responses.shape}" for x in results))

# %%
units = pd.concat(
    unit_table(sessions[x.session], p, x.responses, x.image_ids).assign(model=model)
    for x in results
    for model, p in x.predictions.items()
)
known = pd.read_csv(note_input(places.tables / "units.csv"))[["session", "unit_id", "ncsnr"]]
units = units.merge(known, on=["session", "unit_id"])
counts = {x.session: Repeats.of(x.image_ids).counts for x in results}
for key, trials in counts.items():
    here = units["session"] == key
    units.loc[here, "ceiling"] = noise_ceiling(units.loc[here, "ncsnr"], trials)
units["variance"] = 100 * units["avg"] ** 2
units["explained"] = signal_explained(units["avg"], units["ceiling"])

# %%
how, limits = settings.scoring, []
images, rng = np.concatenate([x.image_ids for x in results]), numpy_stream(seed, "units")
again = Resamples.make(images, resamples, rng, how.over)
for x in results:
    for p in x.predictions.values():
        samples = unit_samples("single", p, x.responses, *again.of(x.image_ids))
        limits.append(np.quantile(samples, [0.025, 0.975], axis=0))
for name, limit in zip(("single_low", "single_high"), np.hstack(limits), strict=True):
    units[name] = np.where(units["single"].isna(), np.nan, limit)
save_table(units, tables["units"])

# %%
own = ("ncsnr", "ceiling", "variance", "explained", "single_low", "single_high")
scores = summary_table(units[[c for c in units if c not in own]])
scores.insert(0, "data", "simulated" if settings.simulation else "recorded")
save_table(scores, tables["scores"])
readable(scores[["model", "session", "n_scored", "single", "single_median", "avg", "avg_median"]])

# %% [markdown]
# ## By area
#
# Medians of ρ, the mean ceiling, and the explained percent of the signal in two ways: the ratio of
# means over voxels, which good voxels lead, and the mean of ratios. Published numbers are of one
# kind or the other, and which is not always said.

# %%
areas = []
for (model, area), here in units.groupby(["model", "area"], sort=False):
    fit = here[here["ceiling"] > 1]
    row = {"model": model, "area": area, "voxels": len(fit), "single": fit["single"].median()}
    row |= {"avg": fit["avg"].median(), "ceiling": fit["ceiling"].mean()}
    row["ratio of means"] = 100 * (100 * fit["avg"] ** 2).mean() / fit["ceiling"].mean()
    areas.append(row | {"mean of ratios": fit["explained"].mean()})
areas = pd.DataFrame(areas)
save_table(areas, tables["areas"])
readable(areas, 2)

# %% [markdown]
# ## How sure is that?

# %%
draws = {"resamples": resamples, "metrics": how.metrics, "units": True, "over": how.over}
intervals = interval_table(results, numpy_stream(seed, "intervals"), **draws)
save_table(intervals, tables["intervals"])
pairs = [("gnet8r", "gnet8j"), *(("gnet8j", p.name) for p in settings.probes)]
comparisons = comparison_table(results, pairs, numpy_stream(seed, "comparisons"), **draws)
save_table(comparisons, tables["comparisons"])
readable(comparisons[comparisons["session"].str.startswith("mean")])

# %%
use_style()
means = intervals[intervals["session"].str.startswith("mean")].rename(columns={"model": "label"})
figure, axes = plt.subplots(1, len(how.metrics), figsize=(8, 2.2), sharey=True, squeeze=False)
for axis, metric in zip(axes[0], how.metrics, strict=True):
    here = means[means["metric"] == metric]
    panels.interval_rows(axis, here, how.label(metric), zero=True)
if settings.simulation:
    mark_simulated(figure, caution(settings))
save_figure(figure, places.figures / "04_scores.png")

# %% [markdown]
# **What one sees.** Means over voxels with intervals over images. Receptive fields on fixed
# features have few weights a voxel; networks that learn their features have to find them first. How
# they rank on a few hundred images says little of how they rank on NSD's nine thousand a subject.
# In `demo` waves explain next to nothing, as they should: what simulated voxels read are random
# convolutions.
#
# Behind a mean are voxels of all kinds:

# %%
figure, axis = plt.subplots(figsize=(4.6, 2.8))
rho = how.metric()
colors = {name: model_color(name) for name in ("gnet8j", "gnet8r")}
values = {name: units.loc[units["model"] == name, rho].dropna() for name in colors}
panels.score_histograms(axis, values, colors, how.label())
if settings.simulation:
    mark_simulated(figure, caution(settings))
save_figure(figure, places.figures / "04_voxels.png")

# %% [markdown]
# **What one sees.** How many voxels are predicted how well, by means of repeats (in `legacy`, by
# single trials); lines are medians.
#
# ## One trunk or four?

# %%
wide = units.pivot_table(index=["session", "unit_id"], columns="model", values=rho)
figure, axis = plt.subplots(figsize=(3.8, 3.8))
panels.unit_scatter(axis, wide["gnet8j"].to_numpy(), wide["gnet8r"].to_numpy())
label = how.label()
axis.set(xlabel=f"{label}, one trunk for all areas", ylabel=f"{label}, a trunk for each area")
if settings.simulation:
    mark_simulated(figure, caution(settings))
save_figure(figure, places.figures / "04_trunks.png")

# %% [markdown]
# **What one sees.** One dot a voxel. In NSD, as published, four trunks predict as well as one, and
# slightly better in later areas: nothing forces the areas to share features that build on each
# other. A joint trunk learns from four times as many voxels, which counts where data are few.
#
# ## Beside the published numbers

# %%
published = pd.DataFrame([vars(score) for score in study.published])
published["our data"] = scores["data"].iloc[0]
save_table(published.dropna(axis=1), tables["published"])
readable(published[["system", "session", "value", "source"]])

# %% [markdown]
# Medians over voxels of the correlation with single trials, from outputs stored with the published
# notebooks, on a split whose stopping images had been trained on. On simulated subjects they are a
# record, not a comparison. The published *explained percent of the signal* cannot be had from the
# published columns by any of the two ways above, so it is not printed here as the same quantity.
