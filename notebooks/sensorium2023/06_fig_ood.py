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
# # 06 · Stimuli no model was trained on
#
# **Which stimuli break a model that has learned from natural films, and is it the film or the
# mouse's behavior that is left?**
#
# A model of visual cortex should predict what neurons do, whatever is shown. SENSORIUM 2023 put
# that to the test with a second track: five kinds of artificial films, none of which is in any
# training or validation tier. *Flashed images* stand still and jump. *Drifting Gabors* are
# gratings under a window. *Gaussian dots* appear and fade. *Random dot kinematograms* (RDK) move
# together without a shape. *Pink noise* drifts in one direction. All models of the competition
# lost about a quarter of their score there.
#
# A score out of domain can be low for three reasons, and this notebook tells them apart:
#
# 1. neurons answer less reliably to such films, and nobody could do better: that is the ceiling,
#    estimated from halves of the repeats;
# 2. the model sees less well what it has never been shown;
# 3. the model lives from behavior. A mouse runs and widens its pupils whatever is on the screen,
#    and that alone raises responses. So the same model is asked again, *at rest*: pupil and speed
#    are held at their means for all frames, and what remains of the score is due to the film.
#
# Responses of the test tiers of the scored mice are withheld, so the mice here are the public
# ones. The answer is the figure at the end.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.data.movies import open_movie_sessions
from src.evaluation.movie_results import by_stimulus, load_movie_results
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of halves of repeats

# %%
study = STUDIES["sensorium2023"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
declare(*(places.tables / f"ood_{name}.csv" for name in ("models", "behavior")))
declare(places.figures / "06_models.png", places.figures / "06_behavior.png")

# %% [markdown]
# ## All models, stimulus by stimulus
#
# Natural films of the main tests stand beside the five kinds. Each kind is scored on its own
# frames, all public mice pooled.

# %%
models = [plan.model.name for plan in settings.main]
sessions = open_movie_sessions(places.processed, settings.main[0].model.inputs)
tiers = ("live_test_main", "live_test_bonus", "final_test_main", "final_test_bonus")
results = load_movie_results(sessions, places.predictions, {name: name for name in models}, tiers)
print("public mice:", ", ".join(found.session for found in results))

# %%
scores = by_stimulus(results, seed)
scores = scores[scores["session"] == "pooled"].drop(columns="session")
save_table(scores, places.tables / "ood_models.csv")
scores.pivot_table(index="stimulus", columns="model", values=["single", "avg"]).round(3)

# %%
use_style()
figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.6))
order = ["natural", *sorted(set(scores["stimulus"]) - {"natural"})]
ordered = scores.set_index("stimulus").loc[order].reset_index()
panels.stimulus_scores(axes[0], ordered, "avg")
panels.stimulus_scores(axes[1], ordered, "single", ceiling="")
axes[1].get_legend().remove()
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "06_models.png")

# %% [markdown]
# **What one sees.** Left, the correlation with the mean of the repeats, under the line that the
# repeats' own reliability allows; where the line is low, neurons said little about that kind of
# film. Right, the competition's score, which has no such line because noise is left in.
#
# ## The same model at rest
#
# The first model of the profile's contest has predicted all these trials once more, with pupil and
# speed held still, in `03_predict`. Nothing was trained again: the weights are those of `02_train`.

# %%
name = settings.contest[0]
twice = {"as recorded": name, "at rest": f"{name}_at_rest"}
pairs = load_movie_results(sessions, places.predictions, twice, tiers)

# %%
behavior = by_stimulus(pairs, seed)
behavior = behavior[behavior["session"] == "pooled"].drop(columns="session")
save_table(behavior, places.tables / "ood_behavior.csv")
behavior.pivot_table(index="stimulus", columns="model", values=["single", "avg"]).round(3)

# %%
figure, axis = plt.subplots(figsize=(6, 3.6))
ordered = behavior.set_index("stimulus").loc[order].reset_index()
panels.stimulus_scores(axis, ordered, "single", ceiling="")
axis.set_title(name, loc="right")
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "06_behavior.png")

# %%
change = behavior.pivot_table(index="stimulus", columns="model", values="single")
change = pd.DataFrame({"lost at rest (%)": 100 * (1 - change["at rest"] / change["as recorded"])})
change.round(0)

# %% [markdown]
# **What one sees.** The distance between two bars is what the model owes to the mouse rather than
# to the film. Where it is large for an artificial kind and small for natural films, the model has
# not learned to see that kind: it predicts that the mouse runs.
