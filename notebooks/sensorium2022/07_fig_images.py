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
# # 07 · Images
#
# **Which images are predicted well, and has that to do with what is in them?**
#
# A score of a neuron is a mean over images. Turned around, it can be taken for an image: the
# response of all neurons to it, against what the model said. Perhaps cluttered images are harder,
# or dark ones, or those whose object is small or off-center.
#
# The published analysis correlates, for one image, the mean responses of all neurons of a mouse
# with their mean predictions. Note what that measures. The z-score runs *across neurons*, and
# neurons differ in how much they respond to anything at all; a model that knows each neuron's mean
# and nothing of the image already scores high. So three numbers are given:
#
# - **performance**, as published;
# - **shuffled**, the same with the predictions for *other* images: what is left when the image is
#   wrong;
# - **centered**, after each neuron's mean over images has been taken from response and prediction.
#   Here chance is about 0, and what remains is about the image.
#
# This is the counterpart of the winner's figures of image complexity, brightness, contrast, boxes
# and categories. The answer is the table of relations, and the figure after it.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.analyses.image_performance import PUBLISHED, performance_table, session_table, summaries
from src.analyses.image_properties import BOX, PROPERTIES, box_table, property_table, shown_images
from src.analyses.relations import group_table, relation_table
from src.config import InputConfig
from src.data.categories import read_categories
from src.data.session import open_sessions
from src.evaluation.intervals import load_results
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = ""  # model whose images are shown; empty: the profile's first wide one
categories: str = ""  # CSV of image categories (trial_ids, inferred_, manual_, general_category)
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
resamples: int = 1000  # bootstrap resamples, and permutations
seed: int = 42  # seed of both

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
systems = {}
for plan in settings.main:
    several = f" x {plan.members}" if plan.members > 1 else ""
    systems[f"{plan.model.name}{several}"] = plan.model.name
model = next(label for label, name in systems.items() if name.startswith(model or "wide"))
names = ("image_complexity", "image_bboxes", "image_performance", "image_sessions")
names += ("image_relations", "image_summaries")
tables = {name: places.tables / f"{name}.csv" for name in names}
names = ("properties", "thumbnails", "performance", "relations")
figures = {name: places.figures / f"07_{name}.png" for name in names}
declare(*tables.values(), *figures.values())
use_style()

# %% [markdown]
# ## What the images are like
#
# **Complexity** is the mean length of the gradient, from Sobel filters of 5 x 5 pixels: how much
# edge there is. **Brightness** is the mean gray level, **contrast** the standard deviation. All
# three are taken from the images as they were recorded, in 8 bits and full size, not as a model
# receives them.
#
# Whoever has the images but no recording needs no more than this: with
# `folder_images("my_images")`, also of `src.analyses.image_properties`, in place of
# `shown_images(sessions.values())`, image files named by their id are read from a folder.

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
images = shown_images(sessions.values())
properties = property_table(images)
save_table(properties, tables["image_complexity"])
properties.drop(columns="image_id").describe().loc[["min", "50%", "max", "mean", "std"]].round(2)

# %%
figure, axes = plt.subplots(2, 3, figsize=(9, 5.4))
for axis, name in zip(axes[0], PROPERTIES, strict=True):
    panels.property_histogram(axis, properties[name], name)
for axis, (a, b) in zip(axes[1], [(0, 1), (0, 2), (1, 2)], strict=True):
    pair = PROPERTIES[a], PROPERTIES[b]
    panels.property_scatter(axis, properties[pair[0]], properties[pair[1]], pair)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["properties"])

# %% [markdown]
# **What one sees.** Above, how each property is spread over the test images; below, each against
# another. If two properties go together, a relation of performance with one of them is hard to
# tell from a relation with the other. Over the 100 published test images these correlations are
# weak (−0.16, 0.25 and 0.15). In simulated images, complexity and contrast go together by
# construction: all have the same spectrum, so that more contrast is steeper everywhere.
#
# ## The images, from dark to bright
#
# At most one hundred, evenly spaced in order of brightness. The published images come from
# ImageNet and may not be passed on: this figure stays in the run's own folder, which is not under
# version control.

# %%
by_brightness = properties.sort_values("brightness")["image_id"].to_numpy()
kept = np.unique(np.linspace(0, len(images) - 1, min(100, len(images))).round().astype(int))
figure, axis = plt.subplots(figsize=(9, 0.55 * np.ceil(len(kept) / 10) + 0.3))
panels.thumbnail_sheet(axis, [images[i] for i in by_brightness[kept]])
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["thumbnails"])

# %% [markdown]
# **What one sees.** The darkest image top left, the brightest bottom right. Simulated images are
# clouds, most of them with a bright ellipse, the "object".
#
# ## Boxes
#
# Where sessions come with object boxes, one an image: `number` is 1 if an object was found and 0 if
# the full frame stands in for none. Detections were merged into one box when the boxes were made,
# so their own number is not in the recording. An image without a box has no area and no center,
# rather than those of the whole frame.

# %%
boxes = box_table(sessions.values())
save_table(boxes, tables["image_bboxes"])
properties = properties.merge(boxes, how="left", on="image_id")
print(f"{len(boxes)} of {len(images)} images have box files, {boxes['number'].sum()} an object")

# %% [markdown]
# ## Performance, image by image
#
# Test trials of every mouse whose responses are public; the others are named and left out. An
# interval beside each image says how much it would move with other neurons, one beside each mean
# how much that would move with other images. `identified` is the share of images whose response
# fits its own prediction better than that of any other image; `chance` is its value by luck.

# %%
withheld = [key for key, session in sessions.items() if session.withheld("test")]
scored = {key: session for key, session in sessions.items() if key not in withheld}
results = load_results(scored, places.predictions, systems)
print("left out, test responses withheld:", ", ".join(withheld) or "none")

# %%
performance = pd.concat(
    performance_table(result, name, numpy_stream(seed, "units", result.session), resamples)
    for result in results
    for name in systems
)
save_table(performance, tables["image_performance"])
by_session = session_table(results, list(systems), numpy_stream(seed, "images"), resamples)
save_table(by_session, tables["image_sessions"])
by_session.round(3)

# %%
first = results[0].session
shown = performance[(performance["session"] == first) & (performance["model"] == model)]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
panels.image_performance(axes[0], shown)
axes[0].set_title(f"{model}, {first}", pad=22)
panels.performance_by_session(axes[1], by_session)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["performance"])

# %% [markdown]
# **What one sees.** Left, the images of one mouse from worst to best. The black line is the same
# response held against the predictions for all other images. It lies above 0, because those know
# which neurons are active at all; only the distance between dots and line is about the image. With
# some fifty neurons the intervals are wide, and hide which images are really harder; they shrink
# with thousands. Right, means over images; black ticks are the means with image labels shuffled. A
# model whose mean is at its tick has learned the neurons, and nothing about images.

# %% [markdown]
# ## Performance against properties
#
# Pearson and Spearman correlations over images, by mouse and as the mean over mice. The interval
# resamples images; p hands the values to other images at random, and `p_holm` is corrected for the
# number of properties tried. Mice that saw the same images share resamples and shuffles: five mice
# are not five times as many images.

# %%
related = performance[performance["model"] == model].merge(properties, on="image_id")
tested = [name for name in (*PROPERTIES, *BOX) if related[name].notna().any()]
relations = pd.concat(
    relation_table(related, measure, tested, numpy_stream(seed, "relations"), resamples)
    for measure in ("performance", "centered")
)
save_table(relations.assign(model=model), tables["image_relations"])
relations[relations["session"].str.startswith("mean")].drop(columns="session").round(3)

# %%
figure, axes = plt.subplots(2, 3, figsize=(9, 5.6), layout="constrained")
rows = relations[(relations["measure"] == "performance") & (relations["statistic"] == "spearman")]
rows = rows[rows["session"].str.startswith("mean")].set_index("property")
for axis in axes.flat[len(tested) :]:
    axis.set_axis_off()
for axis, name in zip(axes.flat, tested, strict=False):
    panels.performance_relation(axis, related, name, rows.loc[name] if name in rows.index else None)
axes[0, 0].legend(loc="best", handletextpad=0.2)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["relations"])

# %% [markdown]
# **What one sees.** Each point is an image in one mouse; above each panel Spearman's r, mean over
# mice, with its interval and corrected p. An interval that excludes 0 with a p that does not
# survive the correction is what chance produces when several properties are tried. Simulated
# images of higher complexity and contrast are predicted worse; since the two go together here,
# that is one finding, not two, and about the simulator. A relation is no cause either: whatever
# makes responses stronger or less noisy makes images easier, for any model.

# %% [markdown]
# ## Categories
#
# What is in an image, a person has to say. With a table of categories (parameter `categories`),
# performance, mean over mice, is compared between them; its ids must be those of the test images,
# each once. p says how often shuffled categories differ as much.

# %%
if categories:
    known = read_categories(categories, np.array(list(images)))
    known = known.merge(related.groupby("image_id")["performance"].mean(), on="image_id")
    values, groups = known["performance"].to_numpy(), known["general_category"].to_numpy()
    grouped, p = group_table(values, groups, numpy_stream(seed, "groups"), resamples)
    save_table(grouped.assign(p=p), places.tables / "image_categories.csv")
    figure, axis = plt.subplots(figsize=(6, 0.5 * len(grouped) + 1.2))
    panels.group_means(axis, values, groups, grouped)
    axis.set_title(f"p = {p:.3f}")
    if simulated:
        mark_simulated(figure)
    save_figure(figure, places.figures / "07_categories.png")
else:
    print("no table of categories was given")

# %% [markdown]
# ## Responses and predictions in five numbers
#
# Before and after averaging over the repeats of an image. Predictions of models that see the image
# only are the same in both; they vary less than responses, as a mean must.

# %%
summary = pd.concat(map(summaries, results))
save_table(summary, tables["image_summaries"])
summary[summary["session"] == first].drop(columns="session").round(3)

# %% [markdown]
# ## Beside the published numbers
#
# Performance of single images from stored outputs of the winner's notebooks. They can be compared
# on the real recordings only, and there with the same mouse and image.

# %%
published = pd.DataFrame(PUBLISHED, columns=["session", "image_id", "published"])
ours = performance.loc[performance["model"] == model, ["session", "image_id", "performance"]]
published = published.merge(ours, how="left", on=["session", "image_id"])
if simulated or recording:
    published["performance"] = np.nan
published["status"] = np.where(published["performance"].notna(), "comparable", "not comparable")
published.round(3)

# %% [markdown]
# A good part of raw performance is about neurons, not about images. What is about the image is its
# distance from shuffled labels. How performance, raw and centered, goes with complexity,
# brightness, contrast and boxes stands in the table of relations, with its uncertainty: with a
# hundred images or fewer, correlations below about 0.2 cannot be told from none.
