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
# # 10 · Artificial receptive fields
#
# **Which part of the image, and what pattern in it, drives each unit of a trained network, and is
# that where the unit's readout says it looks?**
#
# Physiologists map a neuron by showing noise and averaging what came before its responses. A
# network can be mapped in the same way, with as many images as one likes: its *artificial*
# receptive field is the covariance of a unit's response with each pixel of white noise. This is
# the counterpart of the published aRF figures (Li et al. 2023; the 2022 winner's code).
#
# - **What is averaged.** The published estimate adds up response times noise. Responses are
#   positive, so the sum is mostly their *mean* times the noise, which has no pattern at all. We
#   subtract it: the centered sum is the covariance. A third estimate, least-squares regression on
#   all pixels, also takes out what the other pixels did.
# - **What it costs.** Upstream holds all noise in memory, about 300 GB. Here noise is made anew
#   from (seed, number of the batch), and one number a unit and pixel is kept.
# - **Controls.** Each half of the noise gives a field; a field that is not in both is noise. The
#   null pairs responses with *another* image of the same batch. Gaussians are fitted to both, so
#   one sees what a successful fit is worth. Distances are held against those to other units.
#
# The answer is the last table: how far the middle of a field lies from where its readout reads.

# %%
from math import prod

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.analyses.gaussian_fit import FITTED, contour, fit_gaussians, sizes
from src.analyses.noise_sums import Noise, accumulate, split_half
from src.analyses.receptive_fields import (
    beside_null,
    gradients,
    pixels_read,
    responses_of,
    shuffled_distances,
)
from src.correlation import pearson
from src.data.session import open_sessions
from src.evaluation.bootstrap import interval
from src.evaluation.permutation import p_value
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, file_sha256, note_input, save_figure, save_table, source_sha256
from src.paths import run_paths
from src.seeds import numpy_stream
from src.simulate.truth import load_truth
from src.studies import STUDIES
from src.training.checkpoint import load_encoder
from src.training.device import threads

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
session: str = ""  # whose units; empty: the first session
model: str = ""  # a model of the profile; empty: ln, cnn and wide
members: int = 1  # members of an ensemble to average, as far as there are so many
images: int = 5120  # noise images; 100,000 and more for good fields of large networks
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
seed: int = 42  # seed of noise, shuffles and bootstrap

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
names = [model] if model else ["ln", "cnn", "wide"]
plans = {plan.model.name: plan for plan in settings.plans if plan.model.name in names}
figures = {n: places.figures / f"10_{n}.png" for n in ("fields", "snr", "centers")}
tables = {
    n: places.tables / f"fields_{n}.csv" for n in ("estimates", "units", "sizes", "distances")
}
declare(*figures.values(), *tables.values())
list(plans)

# %% [markdown]
# ## What a network is shown
#
# Noise is uniform in 0..1 and standardized, like the images a network was trained on. For models
# that see full resolution each noise pixel is drawn larger, so that all models are mapped on the
# same coarse grid: finer noise would average out in the first layer. Behavior and pupil are at
# rest, and the box is the full frame. Images in color have noise in each channel, and a field in
# each.

# %%
respond, grid, read, made_by = {}, {}, {}, {}
for name, plan in plans.items():
    sessions = open_sessions(places.processed, plan.model.inputs)
    key = session or next(iter(sessions))
    c, h, w = sessions[key].image_shape
    larger = next(k for k in range(max(min(h, w) // 36, 1), 0, -1) if h % k == w % k == 0)
    files = [places.member(name, m) / "weights.pt" for m in range(1, plan.members + 1)][:members]
    encoders = [load_encoder(note_input(file), sessions) for file in files]
    mu = np.mean([encoder.readouts[key].mu.detach().numpy() for encoder in encoders], axis=0)
    grid[name] = c, h // larger, w // larger
    read[name] = pixels_read(mu, plan.model, (h, w), larger)
    respond[name] = responses_of(encoders, key, larger, device)
    code = source_sha256("models", "analyses", "seeds")
    made_by[name] = [code, key, larger, *(file_sha256(file) for file in files)]
unit_ids = sessions[key].unit_ids
n_units = len(unit_ids)
print(f"session {key}, {n_units} units; (c, h, w) of the noise:", grid)

# %% [markdown]
# ## The sums
#
# Two halves of the noise, summed apart. They are kept on disk, so an estimate of millions of
# images can be stopped, continued, or spread over machines. Behind the units stand the same units
# again, with responses to another image: the null.

# %%
halves = {}
for name, plan in plans.items():
    noise, batches = Noise(grid[name], seed), images // Noise.batch_size
    for half, part in enumerate((range(batches // 2), range(batches // 2, batches))):
        path = places.runs / "noise_sums" / f"{key}_{name}_{half}.pt"
        regression = images > 2 * prod(grid[name])
        with threads(plan.training.threads):
            halves[name, half] = accumulate(
                beside_null(respond[name]), noise, part, path, made_by[name], regression
            )
whole = {name: halves[name, 0] + halves[name, 1] for name in plans}
fields = {name: sums.fields().reshape(-1, *grid[name]) for name, sums in whole.items()}
{name: f"{sums.nbytes / 1e6:.1f} MB of sums" for name, sums in whole.items()}

# %% [markdown]
# ## Three estimates of one thing
#
# Each is held against the gradient of the response at the mean image, which needs no noise at
# all: for a linear network it *is* the filter. On simulated data each is also held against the
# simulator's filter, for units that have one. Numbers are medians over units: correlation over
# pixels, and signal-to-noise from the two halves. Regression needs more images than pixels.

# %%
truth_file = places.raw.with_name(f"{places.raw.name}_truth") / f"{key}.npz"
cortex = load_truth(note_input(truth_file)).cortex if simulated else None
kinds = cortex.kinds if simulated else np.full(n_units, "recorded")
linear = kinds == "filter"

# %%
rows = []
for name, sums in whole.items():
    slopes = gradients(respond[name], n_units, grid[name])
    for estimate in ("sum", "covariance", "regression")[: 2 + (sums.xx is not None)]:
        found = sums.fields(slice(n_units), estimate)
        row = {"model": name, "estimate": estimate, "gradient": pearson(found.T, slopes.T)}
        if simulated:
            filters = cortex.filters[linear, 0].reshape(-1, found.shape[1])
            row["true filter"] = pearson(found[linear].T, filters.T)
        if estimate != "regression":
            pair = (halves[name, k].fields(slice(n_units), estimate) for k in (0, 1))
            row["snr"] = split_half(*pair)[0]
        rows.append({n: v if isinstance(v, str) else np.nanmedian(v) for n, v in row.items()})

# %%
estimates = pd.DataFrame(rows)
save_table(estimates, tables["estimates"])
estimates.round(3)

# %% [markdown]
# **What one sees.** At this number of images the published sum has little of the field in it, if
# any; centering alone brings it out, for free. What regression adds depends on the network: it
# removes the noise that a *linear* response to other pixels makes, all of it for a linear model.
#
# ## Fields, and Gaussians fitted to them
#
# A rotated Gaussian is fitted to the absolute z-score of each field, and to each null field. The
# published fits start in the middle of the image with a width of ten pixels; ours at the field's
# highest place. Every unit keeps its row, whatever became of its fit.

# %%
fits = {}
for name in plans:
    real, null = np.split(fields[name], 2)
    fits[name, "units", "peak"] = fit_gaussians(real)
    fits[name, "units", "published"] = fit_gaussians(real, "published")
    fits[name, "null", "peak"] = fit_gaussians(null)

# %%
parts = []
for name in plans:
    snr, _ = split_half(*(halves[name, half].fields() for half in (0, 1)))
    ids = {"model": name, "session": key, "unit_id": unit_ids, "kind": kinds}
    table = fits[name, "units", "peak"].assign(**ids, snr=snr[:n_units], null_snr=snr[n_units:])
    table[["read_x", "read_y"]] = read[name]
    if simulated:
        size = np.array(grid[name][:0:-1])  # w, h
        table[["true_x", "true_y"]] = (cortex.rf_centers + 1) / 2 * (size - 1)
    parts.append(table)

# %%
units = pd.concat(parts, ignore_index=True)
threshold = units.groupby("model")["null_snr"].quantile(0.99)
units["has_field"] = units["snr"] > units["model"].map(threshold)
save_table(units, tables["units"])
units.groupby(["model", "kind"], sort=False).agg(
    units=("snr", "size"), median_snr=("snr", "median"), with_field=("has_field", "sum")
)

# %%
use_style()
shown = units[units["model"] == list(plans)[-1]].reset_index(drop=True)
picked = shown["snr"].sort_values(ascending=False).index[np.linspace(0, n_units - 1, 6).astype(int)]

# %%
figure, axes = plt.subplots(
    len(plans) + simulated, 6, figsize=(9, 1 + len(plans)), layout="constrained", squeeze=False
)
for row, name in zip(axes, plans, strict=False):
    for axis, k in zip(row, picked, strict=True):
        one = units[units["model"] == name].iloc[k]
        outline = contour(one) if one["status"] == FITTED else None
        panels.receptive_field(axis, fields[name][k], outline, read[name][k])
    row[0].set_ylabel(name)
if simulated:
    for axis, k in zip(axes[-1], picked, strict=True):
        panels.receptive_field(
            axis, cortex.filters[k, :1], None, shown[["true_x", "true_y"]].iloc[k]
        )
    axes[-1, 0].set_ylabel("simulator")
for axis, k in zip(axes[0], picked, strict=True):
    axis.set_title(f"unit {unit_ids[k]}, {kinds[k]}", fontsize=8)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["fields"])

# %% [markdown]
# **What one sees.** The six units are evenly spaced from the best-known field of the last model to
# its least-known. Each field lies in one place, and in a network that trained long enough it is
# an oriented pattern or a blob; the line is the contour of the fit at the published level, 0.158
# of its height, which the source calls one standard deviation and is 1.92 of them. The cross is
# where the readout reads. In the simulator's row is the filter that made the responses (the first
# of two for an *energy* unit, whose response a covariance cannot see, because it does not change
# with the sign of the image; a *noise* unit has no filter at work). A network has a field for
# such units too: it was made to predict *something* for them.
#
# ## How well are the fields known?

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
panels.snr_distributions(axes[0], units)
order = [kind for kind in ("filter", "energy", "noise", "recorded") if kind in kinds]
of_kind = [shown.loc[shown["kind"] == kind, "snr"] for kind in order]
axes[1].boxplot([*of_kind, shown["null_snr"]], tick_labels=[*order, "null"], whis=(0, 100))
axes[1].set(ylabel="signal / noise of a field", title=list(plans)[-1])
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["snr"])

# %% [markdown]
# **What one sees.** Left, the share of units whose field has less signal than the value on the
# axis, in power, for each model; dashed, the null, around zero. Right, one model's units by what
# the simulator made them. The ratio says how well the field *of the network* is measured with so
# many images, not how good the network is, nor that the neuron has such a field.
#
# ## Sizes, and what a fit is worth
#
# The published summary is the mean and standard deviation of both widths, without their largest
# five percent. Here with every failure counted, from both starts, and for the null.

# %%
columns = ["model", "fields of", "start"]
summary = pd.DataFrame([dict(zip(columns, k, strict=True)) | sizes(f) for k, f in fits.items()])
save_table(summary, tables["sizes"])
summary.round(2)

# %% [markdown]
# **What one sees.** A fit converges for nearly every field, and for many null fields as well, in
# which there is nothing to fit: that a Gaussian could be fitted is no evidence of a receptive
# field. Signal-to-noise is. From the published start some fields far from the middle may be
# missed, and a fit of noise fails more often.
#
# ## Does a field lie where the readout reads?
#
# For units with a field beyond the null and a fit, the distance from its middle to the pixel the
# readout reads. They need not agree to the pixel: layers after the first can pull a field to one
# side, and a readout position is only as good as its training. The null hands the positions to
# other units. On simulated data the same is done with the true centers.

# %%
rows, nulls = [], {}
counted = units[units["has_field"] & (units["status"] == FITTED)]
for name, table in counted.groupby("model", sort=False):
    for place in ("read", "true")[: 1 + simulated]:
        some = table[table["kind"] != "noise"] if place == "true" else table
        if some.empty:
            continue
        centers, at = some[["x0", "y0"]].to_numpy(), some[[f"{place}_x", f"{place}_y"]].to_numpy()
        distance = np.linalg.norm(centers - at, axis=1)
        random = numpy_stream(seed, "distance", name, place)
        again = np.median(random.choice(distance, (1000, len(distance))), axis=1)
        null = nulls[name, place] = shuffled_distances(centers, at, random)
        observed = np.median(distance), *interval(again)
        rows.append((name, place, len(some), *observed, null.mean(), p_value(-observed[0], -null)))

# %%
columns = ["model", "place", "units", "distance", "low", "high", "shuffled", "p"]
distances = pd.DataFrame(rows, columns=columns)
save_table(distances, tables["distances"])

# %%
drawn = [name for name in plans if (name, "read") in nulls]
figure, axes = plt.subplots(2, len(plans), figsize=(9, 5), layout="constrained", squeeze=False)
for column, name in zip(axes.T, drawn, strict=False):
    table = counted[counted["model"] == name]
    centers, at = table[["x0", "y0"]].to_numpy(), table[["read_x", "read_y"]].to_numpy()
    panels.center_shifts(column[0], at, centers, name)
    observed = np.median(np.linalg.norm(centers - at, axis=1))
    panels.null_histogram(column[1], nulls[name, "read"], observed, "median distance (pixel)")
    column[1].legend(loc="lower left", bbox_to_anchor=(0, 1))
    column[0].set_title(name)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["centers"])

# %% [markdown]
# **What one sees.** Above, the middle of each field, and a line from where its readout reads.
# Below, the median length of these lines, and what it would be if the readouts' positions belonged
# to other units. If the observed distance lies left of the null, fields and readout positions
# agree, unit by unit. Lines that all lead the same way show a shift that the core makes.

# %%
distances.round(3)

# %% [markdown]
# Distances are medians in pixels of the noise with 95 % intervals over units; `shuffled` is the
# mean of the null. With `true`, the field is held against the center that the simulator gave the
# neuron. A model can agree with itself and still be wrong: a network that trained for a few epochs,
# or a single member of an ensemble, may read, and have its fields, elsewhere than the neuron. Only
# where `true` is far below `shuffled` has it found the place.
