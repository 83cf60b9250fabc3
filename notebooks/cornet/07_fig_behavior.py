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
# # 07 · Behavior
#
# **Does a network confuse the images that people confuse, and does it take as long?**
#
# Two networks that name as many images may be right about different ones. Rajalingham and
# colleagues (2018) showed people an image and then two objects, and asked which had been there.
# For every image and every wrong object that was offered, one gets how often people fell for it,
# as a sensitivity d′. Four patterns are compared with a network's, by correlation:
#
# | name | what it keeps |
# |---|---|
# | i1 | a number an image: how well its object is told from all others |
# | i1n | the same, less the mean of its object: which *images* of an object are hard |
# | i2 | a number an image and distractor |
# | i2n | the same, less the mean of each pair of objects |
#
# The last, i2n, is Brain-Score's: it leaves nothing that follows from objects alone. It is also
# the noisiest, so the ceiling matters. Trials are halved at random, and the correlation of the
# halves is what a perfect model could hope to reach with one of them; scores are divided by its
# root.
#
# The network's choices are read from its last layer by a logistic regression, fitted to *other*
# images of the same objects. Then to time: an *object solution time* is when the activity of a
# population first tells an image's object as well as the monkey did (Kar et al. 2019). A network
# without time has none.
#
# The answer is the first figure.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.data.assembly_files import open_assembly
from src.data.choices import open_choices
from src.evaluation.choice_consistency import consistency, image_table
from src.evaluation.choice_readout import choice_probabilities, fit_choices
from src.evaluation.likeness import Settings, score_choices
from src.evaluation.score_record import Source, score_table
from src.evaluation.scores import readable
from src.evaluation.solution_times import score_solution_times
from src.evaluation.stored_sets import stored_sets
from src.evaluation.time_bins import aligned
from src.figures import panels
from src.figures.style import mark_simulated, point_size, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.simulate.ventral import load_ventral_truth
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
resamples: int = 200  # of images, for intervals
bin_ms: int = 30  # length of the time bins a decoder is fitted in
seed: int = 42  # seed of the resamples and of decoders

# %%
study = STUDIES["cornet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
names = ("data", "choices", "images", "times")
tables = {name: places.tables / f"07_{name}.csv" for name in names}
drawn = {name: places.figures / f"07_{name}.png" for name in names[1:]}
files = {"choices": "behavior.csv", "rates in time": "assembly_10ms.h5"}
files["solution times"] = "solution_times.csv"
there = {what: (places.raw / name).is_file() for what, name in files.items()}
asked, timed = there["choices"], there["rates in time"] and there["solution times"]
made = ("choices", "images") * asked + ("times",) * timed
declare(tables["data"], *(kind[name] for name in made for kind in (tables, drawn)))

# %% [markdown]
# ## What there is
#
# Recordings often come without choices, or as mean rates without time. What the data folder does
# not hold is left out below, and this table says so.

# %%
data = pd.DataFrame({"what": files.keys(), "file": files.values(), "found": there.values()})
save_table(data, tables["data"])
data

# %% [markdown]
# ## Choices

# %%
path = note_input(places.raw / "assembly.h5")
if asked:
    shown = open_assembly(path).stimuli.drop_duplicates("stimulus_id")
    trials = open_choices(note_input(places.raw / files["choices"]))
    fitting = shown[shown["object_name"].isin(trials.objects)]
    fitting = fitting[~fitting["stimulus_id"].isin(trials.images)]
    print(f"{len(trials.image)} trials on {len(trials.images)} images")
    print(f"{len(fitting)} others of the same {len(trials.objects)} objects to fit a read-out to")

# %%
if asked:
    how = Settings(resamples=resamples, seed=seed)
    source = Source(study.name, "people", "simulated" if simulated else "recorded")
    sets = {n.name: stored_sets(places.features, n.name, path) for n in settings.networks}
    readouts = {name: layers["decoder"] for name, layers in sets.items()}
    records = [
        score_choices(x, fitting, trials, metric, source, how)
        for x in readouts.values()
        for metric in ("i1", "i1n", "i2", "i2n")
    ]

# %%
if asked:
    choices = score_table(records).drop(columns="seconds")
    save_table(choices, tables["choices"])
    i2n = choices[choices["metric"] == "i2n"].sort_values("raw", ascending=False)
    i2n = readable(i2n[["model", "metric", "raw", "ci_low", "ci_high", "ceiling", "ceiled"]])
i2n if asked else "no choices"

# %% [markdown]
# The simulated people and a simulated model see the same evidence, the model through noise of its
# own, so that their agreement is known without any trial. What trials tell should be that, once it
# is divided by the root of the ceiling.

# %%
if simulated and asked:
    truth = load_ventral_truth(places.raw.with_name(f"{places.raw.name}_truth") / "truth.npz")
    measured = consistency(truth["model"], trials, "i2n")
    print(f"i2n of the simulated model {measured.score:.3f}, ceiling {measured.ceiling:.3f}, "
          f"r / √c {measured.ceiled:.3f}")  # fmt: skip

# %%
if asked:
    use_style()
    figure, axes = plt.subplots(
        1, 4, figsize=(9, 1.2 + 0.26 * len(readouts)), sharey=True, sharex=True
    )
    for axis, (metric, part) in zip(axes, choices.groupby("metric", sort=False), strict=True):
        rows = part.rename(columns={"raw": "score", "ci_low": "low", "ci_high": "high"})
        panels.interval_rows(axis, rows.assign(label=rows["model"]), "r", zero=True)
        axis.axvline(np.sqrt(part["ceiling"].iloc[0]), color="#8b1e2d", linestyle=(0, (4, 2)))
        axis.set_title(metric)
    if simulated:
        mark_simulated(figure)
    save_figure(figure, drawn["choices"])

# %% [markdown]
# **What one sees.** One panel a pattern, networks as rows; the dashed line is the root of the
# ceiling. The more of what follows from objects is taken off, the lower are scores and ceiling
# alike. Bars that reach zero say that the agreement on *which images* are hard is not
# established; with the few images of the smaller profiles that is the rule.
#
# ## Image by image

# %%
if asked:
    best = choices[choices["metric"] == "i1"].sort_values("raw")["model"].iloc[-1]
    x = readouts[best]
    readout = fit_choices(x.values[x.rows(fitting["stimulus_id"].to_numpy(str))],
                          fitting["object_name"].to_numpy(str))  # fmt: skip
    p = choice_probabilities(readout, x.values[x.rows(trials.images)], trials.objects)
    images = image_table(p, trials)
    save_table(images, tables["images"])

# %%
if asked:
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.4))
    by_object = images.groupby("object_name")[["human", "model"]].mean()
    for axis, table, name in zip(axes, (images, by_object), ("image", "object"), strict=True):
        axis.scatter(table["human"], table["model"], point_size(len(table)), "#222222", alpha=0.6)
        r = table["human"].corr(table["model"])
        axis.set(xlabel="d′, people", title=f"one dot: {name}")
        axis.text(0.03, 0.97, f"r = {r:.2f}", va="top", transform=axis.transAxes)
    axes[0].set_ylabel(f"d′, {best}")
    if simulated:
        mark_simulated(figure)
    save_figure(figure, drawn["images"])

# %% [markdown]
# **What one sees.** i1 of people against i1 of one network, image by image, and as means over
# the images of an object: part of the agreement is that some objects are hard for both. A
# network's d′ has a smaller range than people's: its read-out was fitted to a few hundred images
# and is rarely sure. Correlation does not mind.
#
# ## Solution times
#
# Here the model is the recorded population itself: how well do its own 10 ms rates, averaged to
# longer bins, say when an image is solved? A decoder is fitted in each bin to nine tenths of the
# images; of the others, the time at which it first reaches the monkey's accuracy is compared
# with the measured one.

# %%
if timed:
    means = open_assembly(note_input(places.raw / files["rates in time"])).averaged()
    bins = np.array([(t, t + bin_ms) for t in range(70, 251 - bin_ms, bin_ms)])
    rates = aligned(means.values, means.time_bins, bins)

# %%
if timed:
    solved = pd.read_csv(note_input(places.raw / files["solution times"])).set_index("stimulus_id")
    solved = solved.loc[means.stimulus_ids]
    objects = means.column("object_name")
    limits = solved["i1"].to_numpy(), solved["solution_ms"].to_numpy()
    found = score_solution_times(rates, objects, bins, *limits, seed=seed)
    print(f"Spearman r of solution times {found.score:.3f} ± {found.error:.3f}, ten draws")
# %%
if timed:
    rows = np.concatenate(found.tests)
    times = pd.DataFrame(
        {
            "stimulus_id": means.stimulus_ids[rows],
            "predicted_ms": np.concatenate(found.times),
            "measured_ms": solved["solution_ms"].to_numpy()[rows],
        }
    )
    times.insert(0, "data", "simulated" if simulated else "recorded")
    save_table(times, tables["times"])
    known = times.dropna()
    print(f"{len(known)} of {len(times)} images are solved at some time")
# %%
if timed:
    figure, axis = plt.subplots(figsize=(3.8, 3.4))
    given = known["measured_ms"], known["predicted_ms"]
    axis.scatter(*given, point_size(len(known)), "#222222", alpha=0.4, linewidths=0)
    axis.set(xlabel="measured solution time (ms)", ylabel="predicted (ms)")
    if simulated:
        mark_simulated(figure)
    save_figure(figure, drawn["times"])

# %% [markdown]
# **What one sees.** One dot a test image. Simulated images come in two clouds, easy ones at
# some 100 ms and hard ones 50 ms later, and the decoder puts most in the right one. Predictions
# stand in columns near the bins' starts, since a time between bins is interpolated only. A
# feed-forward network has one time for all images and no score on this measure, which is what
# the published tables give as 0; CORnet-S has .25 of a ceiling of .79.
