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
# # 10 · Leakage between mice
#
# **What does it give away that another mouse saw the same test films?**
#
# The ten mice of SENSORIUM 2023 form five pairs. The mice of a pair saw nearly the same training
# films, and the same six films of each test tier, dealt to tiers in another way: what is *final
# test* for one may be *oracle* for the other. For the mice A to E all responses are public. So the
# responses to every scored test film can be looked up, in another brain. Training on them is not
# forbidden, and the first and the third place of the competition did it; the second, whose model
# this study follows, trained on the tier `train` alone.
#
# How much is that worth? Training a network twice would mix two things, more data and known test
# films. There is a purer question: how well does the *partner's cortex itself* predict? For a
# neuron of the scored mouse, a linear map is fitted from the partner's neurons to it, on training
# films that both saw. Then it predicts responses to films of the scored mouse's oracle tier, from
# the partner's mean response to the very same films. That model has no eye. All it knows of the
# test films is how another mouse answered.
#
# If it scores as high as a network that looks at the films, then whoever includes the partner's
# tests in training is handed that knowledge too. The answer stands in the last figure; the first
# shows who saw what.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.analyses.partner import fit_partner, partners, predict_from_partner
from src.data.movie_leaks import movie_splits, near_copies, shared_videos
from src.data.movies import open_movie_sessions
from src.evaluation.movie_results import movie_intervals, results_of
from src.evaluation.prediction import load_prediction
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
resamples: int = 500  # bootstrap resamples of the films
seed: int = 42  # seed of the bootstrap

# %%
study = STUDIES["sensorium2023"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = {n: places.tables / f"leakage_{n}.csv" for n in ("shared", "near", "removed", "partner")}
declare(*tables.values(), places.figures / "10_shared.png", places.figures / "10_partner.png")

# %% [markdown]
# ## Who saw what

# %%
name = settings.contest[0]
sessions = open_movie_sessions(places.processed, settings.plan(name).model.inputs)
shared = shared_videos(sessions)
save_table(shared, tables["shared"])
pairs = partners(shared, sessions)
pairs

# %%
use_style()
shown = list(pairs.items())[:2]
figure, axes = plt.subplots(1, len(shown), figsize=(4.9 * len(shown), 3.9), squeeze=False)
for axis, (key, other) in zip(axes[0], shown, strict=True):
    panels.shared_matrix(axis, shared, key, other)
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "10_shared.png")

# %% [markdown]
# **What one sees.** Rows are tiers of a scored mouse, columns tiers of its partner, numbers the
# films that both show. The tier `train` meets `train` only, but test tiers meet each other
# crosswise. Films are compared by content: two that differ in a single pixel are two.
#
# ## Nearly the same film
#
# That rule has a hole. A film that was saved once more, or differs in one pixel, has another hash,
# and is the same film to any brain and any network. So pairs of different films that are less than
# two gray levels apart, root mean square over all their frames, are listed too. All pairs are
# compared in a few coarse frames first, and what is near there is compared whole. It finds copies
# that begin with the same frame; a film that was cut or mirrored is not found.

# %%
copies = near_copies(sessions)
save_table(copies, tables["near"])
films = {name for session in sessions.values() for name in session.video_sha256}
print(f"of {len(films)} films, {len(copies)} pairs are nearly the same")
copies.assign(video=copies["video"].str[:8], other=copies["other"].str[:8]).round(4)

# %% [markdown]
# In the simulation one training film of each pair of mice was planted as such a copy: one pixel of
# one frame is brighter by one.
#
# ## What a disjoint split leaves out
#
# `movie_splits(..., stimulus_disjoint=True)` keeps from training and validation every film that is
# evaluated anywhere, and with `copies` every near copy of one; it lists what it took. With training
# on `train` alone there is nothing to take, but the oracle tier that a scored mouse validates on
# holds films its partner is tested on. With the partner's public test tiers in training, as the
# winner had them, much is taken.

# %%
public = ("train", "live_test_main", "final_test_main", "live_test_bonus", "final_test_bonus")
evaluated = ("live_test_main", "final_test_main", "live_test_bonus", "final_test_bonus")
kinds = {"train alone": ("train",), "all public tiers": public}
removed = pd.concat(
    movie_splits(sessions, tiers, evaluated=evaluated, stimulus_disjoint=True, copies=copies)[
        1
    ].assign(training=kind)
    for kind, tiers in kinds.items()
)
save_table(removed, tables["removed"])
removed.groupby(["training", "part", "session"]).size().rename("trials left out").to_frame()

# %% [markdown]
# ## The partner's cortex as a model
#
# The map sees the partner's neurons in the last frames up to the one that it predicts, in single
# trials of films that both mice saw in training. A tenth of these films chooses the strength of
# the ridge penalty.

# %%
found = []
for key, other in pairs.items():
    session, partner = sessions[key], sessions[other]
    fit = fit_partner(session, partner)
    trials = session.trials("oracle")
    eyeless = predict_from_partner(fit, session, partner, trials)
    seeing = load_prediction(places.predictions / name / f"{key}.npz")
    found.append(results_of(session, trials, {name: seeing, "partner": eyeless}))
    print(f"{key}: {len(trials)} oracle trials from {other}, penalty {fit.alpha:.3g}")

# %%
scores = movie_intervals(found, seed, resamples)
save_table(scores, tables["partner"])
scores[scores["metric"] == "single"].round(3)

# %%
figure, axis = plt.subplots(figsize=(6.4, 3))
rows = scores[scores["metric"] == "single"].sort_values(["session", "model"])
rows = rows[~rows["session"].str.fullmatch("mean of 1")]
label = rows["session"] + ", " + rows["model"]
panels.interval_rows(axis, rows.assign(label=label), "single-trial correlation, oracle films")
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "10_partner.png")

# %% [markdown]
# **What one sees.** For each scored mouse, the score of a network that looks at the film, and that
# of a linear map that looks at another mouse. The second knows nothing of this mouse's behavior,
# and is limited by how few of the partner's neurons were recorded; what it does score comes from
# the test films' responses being public. It bounds from below what stimulus overlap can give away.
