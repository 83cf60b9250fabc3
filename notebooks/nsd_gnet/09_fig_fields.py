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
# # 09 · Fields
#
# **Where does each voxel look, and do two ways of asking agree?**
#
# A readout of GNet learns two pooling fields a voxel, free maps of weights that sum to one. Nobody
# told them to be round or small; they start as the whole image. A feature-weighted receptive field
# (`03_probe`) is told: it is a Gaussian, and only its place and size are chosen. Where the two
# agree about a voxel, the field belongs to the voxel and not to the method.
#
# A rotated Gaussian is fitted to each pooling field, with its failures counted. A field that
# learning has hardly moved fits anything, so only voxels whose prediction is better than that of
# shuffled trials are compared. What agreement means is told by a null: the same places, dealt to
# other voxels of the same area.
#
# The fields also say something of their own. Published ones tend to point at the middle of the
# gaze, their long axis along the radius, an old finding of neurons as well. `tilt` is the angle
# between the two, 0 for a field that points there.
#
# At last everything goes back to where it came from: accuracy, distance from the middle, angle and
# size are written as volumes with the affine of the subject's own files, 0 outside. Published ones
# had an affine of ones, and lay beside the brain in every viewer.
#
# A field on a map is not yet one on the image. Gradients at the pixels say what in an image would
# change the prediction, for the best voxels of each area.
#
# The answers are the first two figures, and the volumes below `maps`.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.analyses.pooling_fields import in_image, outlines, place_agreement, pooling_fits
from src.analyses.saliency import saliency
from src.correlation import pearson, shuffled_limit
from src.data.nifti import write_maps
from src.data.nsd import EARLY, Areas, find_subjects
from src.data.splits import member_splits
from src.evaluation.intervals import load_results
from src.evaluation.probes import ImageResponses
from src.figures import panels
from src.figures.panels.volumes import slices_through
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.models.frozen import frozen_network
from src.models.gnet_pixels import with_pixels
from src.models.map_sessions import open_inputs
from src.paths import run_paths
from src.seeds import numpy_stream
from src.simulate.nsd import load_truth
from src.studies import STUDIES
from src.studies.nsd_gnet import caution
from src.training.checkpoint import load_encoder

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = "gnet8j"  # whose pooling fields
probe: str = ""  # whose receptive fields stand beside; empty: the last one of the profile
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
source: str = ""  # root of NSD as given to 01_preprocess; empty: data/raw/nsd_gnet/full
metric: str = ""  # avg, r of means of repeats; single, of single trials; empty: the profile's
weights: str = ""  # file of the prefilter, or a folder; empty: data/weights, or torch hub's cache
block: int = 6  # voxels of each area whose gradient at the pixels is drawn
seen: int = 12  # test images it is averaged over
seed: int = 42  # of the null, and of a random prefilter, as in 02_extract

# %%
study = STUDIES["nsd_gnet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
rho = settings.scoring.metric(metric)
subjects = find_subjects(source or places.raw)
tables = {n: places.tables / f"09_{n}.csv" for n in ("units", "agreement")}
waves = [p.name for p in settings.probes if p.networks == ("gabor",)]
mapped = ("r", "eccentricity", "angle", "size")
tuned = ("frequency", "frequency_spread", "orientation", "orientation_spread") if waves else ()
pages = ("mosaic", "places", "saliency", "brain", *(["waves"] if waves else []))
drawn = {n: places.figures / f"09_{n}.png" for n in pages}
maps = [places.figures / f"maps/{k}_{n}.nii.gz" for k in subjects for n in (*mapped, *tuned)]
declare(*tables.values(), *drawn.values(), *maps)

# %%
sessions = open_inputs(places.processed, settings.plan(model).model.inputs, places.features)
encoder = load_encoder(note_input(places.member(model, 1) / "weights.pt"), sessions)
beside = probe or settings.probes[-1].name
probed = pd.read_csv(note_input(places.tables / f"03_{beside}.csv"))
fields = {k: [f.detach().numpy() for f in encoder.readouts[k].fields] for k in sessions}
for key, (fine, coarse) in fields.items():
    print(f"{key}: (n_units, height, width) = {fine.shape} and {coarse.shape}")

# %% [markdown]
# ## Fit
#
# One Gaussian for each field on the fine map.

# %%
found = load_results(sessions, places.predictions, {model: model}, tier=None)  # those predicted
results = [x.rows(rho) for x in found]
fits = {key: pooling_fits(fine) for key, (fine, coarse) in fields.items()}
rows = []
for x in results:
    session, r = sessions[key := x.session], pearson(x.predictions[model], x.responses)
    ids = {"session": key, "unit_id": session.unit_ids, "area": session.area, "r": r}
    ids["status"] = fits[key]["status"]
    rows.append(pd.DataFrame(ids).join(in_image(fits[key], *fields[key][0].shape[1:])))
units = pd.concat(rows, ignore_index=True)

# %%
IDS = ["session", "unit_id"]
asked = probed[[*IDS, "x", "y", "sigma"]]
units = units.merge(asked, on=IDS, suffixes=("", "_fwrf"))
if simulated:
    truth_folder = places.raw.with_name(f"{places.raw.name}_truth")
    known = [load_truth(truth_folder / f"{key}.npz") for key in sessions]
    columns = ["x_true", "y_true", "sigma_true"]
    units[columns] = np.concatenate([t.fields[np.argsort(t.places)] for t in known])
save_table(units, tables["units"])
units.groupby("area", sort=False)["status"].value_counts().unstack(fill_value=0)

# %%
least = shuffled_limit(min(len(x.responses) for x in results))
good = units[(units["r"] > least) & units["x"].notna()]
key = next(iter(sessions))
best = units[units["session"] == key].nlargest(36, "r").index
print(f"{len(good)} of {len(units)} voxels are above {least:.3f}, and their field could be fitted")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 4.6))
use_style()
for axis, depth, at in zip(axes, ("layers 1-3", "layers 4-7"), (0, 1), strict=True):
    lines = outlines(fits[key].loc[best]) if at == 0 else [None] * len(best)
    panels.pooling_fields(axis, fields[key][at][best], lines)
    axis.set_title(f"{key}, {len(best)} best voxels, {depth}")
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["mosaic"])

# %% [markdown]
# **What one sees.** A tile a voxel, the best predicted first, dark where it looks, each from zero
# to its largest weight; on the fine map a line around the fitted Gaussian, one standard deviation
# from its middle. Black all over means that training had no reason to look anywhere in particular:
# all weights are near the largest.
#
# ## Do they agree?
#
# Distance of the centers from those of `03_probe`, and from the planted ones where there are any,
# for voxels that are predicted at all; and for the same places dealt out anew within areas.

# %%
pairs = {"fwRF": "fwrf"} | ({"truth": "true"} if simulated else {})
rows, rng = [], numpy_stream(seed, "dealt")
for name, end in pairs.items():
    both = (good[[f"x{e}", f"y{e}"]].to_numpy() for e in ("", f"_{end}"))
    found = place_agreement(*both, good["area"].to_numpy(), 500, rng)
    rows.append({"beside": name, "voxels": len(good), **found})

# %%
agreement = pd.DataFrame(rows)
save_table(agreement, tables["agreement"])
agreement.round(3)

# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 3.2))
colors = dict(zip(EARLY, ("#0072b2", "#009e73", "#e69f00", "#d55e00"), strict=True))
end = "true" if simulated else "fwrf"
for name, color in colors.items():
    here = good[good["area"] == name]
    axes[0].scatter(here[f"x_{end}"], here["x"], s=9, color=color, label=name)
    axes[1].scatter(here["eccentricity"], here["sigma"], s=9, color=color)
axes[0].axline((0, 0), slope=1, color="#b8b8b8", linewidth=1, zorder=0)
axes[0].set(xlabel=f"x, {'planted' if simulated else 'fwRF'}", ylabel="x of the pooling field")
axes[0].legend()
axes[1].set(xlabel="distance from the middle (image widths)", ylabel="size (image widths)")
axes[2].hist(np.degrees(good["tilt"]), np.linspace(-90, 90, 13), color="#b8b8b8")
axes[2].set(xlabel="tilt of the long axis from the radius (°)", ylabel="voxels")
axes[2].set_xticks([-90, -45, 0, 45, 90])
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["places"])

# %% [markdown]
# **What one sees.** Left, the places of fields against the planted ones (of a recording: those of
# `03_probe`). Middle, size against distance from the middle, where real fields grow and the
# simulated ones, whose size depends on the area alone, do not. Right, which way they point.
# Simulated fields are round; but a map of five places a side cuts those near its border, and what
# is left of them is long along the border, at right angles to the radius. The published finding is
# the opposite, a peak at 0, on maps of twenty-five places.
#
# ## What in an image would change it?
#
# A pooling field says where a voxel looks on a map, and a place of a map sees many pixels. So the
# question is put to the pixels themselves: for the best predicted voxels of an area, the gradient
# of their squared error, summed over the block, at every pixel, mean over colors. The prefilter
# stands in front of the trunk again. Responses are means of repeats; prediction and response are
# those of the same voxels, where the published code paired the best ones with others.

# %%
session, size = sessions[key], sessions[key].images.shape[-1]
kept = weights or (places.weights if places.weights.is_dir() else None)
prefilter = frozen_network(settings.network("prefilter"), size, seed, kept)
seeing = with_pixels(encoder, prefilter, size)
(splits,) = member_splits(sessions, settings.plan(model).split, 1, seed)
means = ImageResponses.of(session, splits[key].test)
images, measured = session.images[means.rows[:seen]], means.responses[:seen]
blocks = {name: units.query("session == @key and area == @name") for name in EARLY}
blocks = {name: here.nlargest(block, "r") for name, here in blocks.items()}
salient = {n: saliency(seeing, key, images, measured, b.index) for n, b in blocks.items()}
print(f"(n_images, height, width) = {salient['V1'].shape} for blocks of {block} voxels of {key}")

# %%
figure, axes = plt.subplots(5, 2, figsize=(8.6, 7.4), width_ratios=(5, 1))
panels.picture(axes[0, 0], np.concatenate(list(images[:5]), axis=2))
axes[0, 1].set_axis_off()
for row, (name, found) in zip(axes[1:], salient.items(), strict=True):
    some = np.hstack(found[:5])
    panels.pixel_gradient(row[0], some, np.quantile(np.abs(some), 0.995))
    row[1].imshow(np.abs(found).mean(0), cmap="Greys", vmin=0)
    x, y = (0.5 + blocks[name]["x"]) * size - 0.5, (0.5 - blocks[name]["y"]) * size - 0.5
    row[1].plot(x, y, "o", color="#d55e00", markersize=3.5)
    row[1].set(xticks=[], yticks=[], xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    row[0].set_ylabel(name)
axes[1, 1].set_title(f"all {len(images)}")
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["saliency"])

# %% [markdown]
# **What one sees.** Above five test images, below for each area what their pixels would do: red
# where more light would make the error of the block larger, blue where smaller; right, the mean
# size of the gradient over images, with the middles of the block's pooling fields as dots.
# Each row has a scale of its own. The gradient of a squared error is as large as the error, so
# images that are predicted badly lead. It ends before the border of the image, which the first
# layer of the trunk does not pad. In `demo` no shape stands out: random filters pass on every
# pixel as it comes, and fields that few images taught are wide.
#
# ## Back into the brain
#
# Accuracy is that of the network. Place and size are those of `03_probe`, which every voxel has;
# where it fitted a pyramid of waves, the preferred wave follows, and how little it stands out.

# %%
noise = pd.read_csv(note_input(places.tables / "units.csv"))
table = units.merge(noise[[*IDS, "ncsnr"]], on=IDS)
table["eccentricity"] = np.hypot(table["x_fwrf"], table["y_fwrf"])
table["angle"] = np.arctan2(table["y_fwrf"], table["x_fwrf"])
table["size"] = table["sigma_fwrf"]
if waves:
    preferred = pd.read_csv(note_input(places.tables / f"03_{waves[0]}_waves.csv"))
    table = table.merge(preferred[[*IDS, *tuned]], on=IDS)

# %%
volumes, masks = {}, {}
for key, files in subjects.items():
    prf, here = Areas(files).prf, table[table["session"] == key]
    at = here["unit_id"].to_numpy()
    values = {name: here[name] for name in ("ncsnr", *mapped, *tuned)}
    values |= {"roi": prf.values.ravel()[at], "mask": np.ones(len(at))}
    volumes[key] = write_maps(places.figures / "maps" / key, values, at, prf)
    masks[key] = volumes[key]["mask"] > 0
    print(f"{key}: {', '.join(values)} in {prf.values.shape}")

# %%
key = next(iter(subjects))
cuts = slices_through(masks[key], 5)
scales = {name: ("viridis", 0, table[name].max()) for name in (*mapped, *tuned)}
scales |= {"angle": ("twilight", -np.pi, np.pi), "orientation": ("twilight", 0, 180)}
called = {name: name.replace("_", "\n") for name in (*mapped, *tuned)}
called["r"] = settings.scoring.label(metric).replace(", ", ",\n")

# %%
pages = {"brain": mapped} | ({"waves": tuned} if waves else {})
for page, names in pages.items():
    figure, axes = plt.subplots(4, 5, figsize=(8, 6.4))
    for row, name in zip(axes, names, strict=True):
        panels.value_slices(row, volumes[key][name], masks[key], cuts, scales[name], called[name])
    for axis, at in zip(axes[0], cuts, strict=True):
        axis.set_title(f"z = {at}")
    if simulated:
        mark_simulated(figure, caution(settings))
    save_figure(figure, drawn[page])

# %% [markdown]
# **What one sees.** Slices through one subject, colored where there are voxels of the four areas.
# In a brain, distance and angle run smoothly over each area and turn back at its border: these maps
# are how areas are found. Simulated fields are dealt to voxels without regard to where these lie,
# and the maps are as mixed as they were planted. A spread is 0 where one wave stands out and 1
# where all are alike.
#
# Open the volumes over the subject's T1 in any viewer. Distance and size are in widths of the image
# (8.4 degrees in NSD); the angle is in radians, counted from the right, upwards; frequencies are in
# cycles an image, orientations in degrees.
