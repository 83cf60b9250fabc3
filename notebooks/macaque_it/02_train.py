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
# # 02 · Train
#
# **Can a network learn what IT does, from the rates alone or from what it knows of objects?**
#
# The alternative to borrowing features is to learn them: a convolutional network whose output is
# the rate of every site, trained on two and a half thousand images. That is little. The networks
# that name objects saw five hundred times as many, and the published attempts to do without them
# stayed below the linear maps from borrowed layers. So there is a way between: begin with such a
# network, or learn to name the objects at the same time.
#
# | model | where it begins | what it learns |
# |---|---|---|
# | `it_cnn` | nothing; published: three blocks, two dense layers | rates |
# | `it_cnn_searched` | the same, with the recipe that `02_search` found | rates |
# | `field_cnn` | nothing; ours: every site reads at a place of its own | rates |
# | `dual_task` | nothing; published: three blocks, then a branch for each task | rates, objects |
# | `map_head` | stored maps of a frozen network | rates, by blocks and two dense layers |
# | `tuned` | a whole network that names objects | rates, with all its layers |
# | `joint` | the same | rates, and still the objects |
#
# All have a *linear* output, since normalized rates are negative half of the time, and all are
# trained on the mean squared error, those with two tasks also on the cross-entropy of 22 object
# classes, with a weight that the configuration below tells. The published search for a learning
# rate ended below 0.0001, where nothing was learned in ten epochs, and its schedule counted batches
# where epochs were meant. Here the unit of a schedule is the epoch, and the rate is drawn in the
# figure.
#
# One more thing is different. The published network was chosen by its score on the very images it
# was then scored on. Here a tenth of the *training* images decides when to stop, and the
# scored ones are not looked at.
#
# The answer is the figure: the score on those inner images, epoch by epoch.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.config import as_plain
from src.data.splits import member_splits
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure
from src.models.encoder import Encoder
from src.models.map_sessions import open_inputs
from src.paths import run_paths
from src.seeds import member_seed
from src.studies import STUDIES
from src.training.found import found_plan
from src.training.start import trained_network
from src.training.trainer import train

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = "it_cnn"  # a model of the profile, see the table above
member: int = 1  # which ensemble member, from 1
weights: str = ""  # file of the network it begins with, or a folder; empty: data/weights
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
processes: int = 1  # that share the training, on a GPU each where there are GPUs
seed: int = 42  # every member derives its own seed from this one

# %%
study = STUDIES["macaque_it"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
plan = found_plan(settings.plan(model), places)
folder = places.member(model, member)
declare(*(folder / name for name in ("weights.pt", "history.csv", "steps.csv")))

# %% [markdown]
# ## The configuration

# %%
pd.json_normalize(as_plain(plan)).T.rename(columns={0: "value"})

# %%
sessions = open_inputs(places.processed, plan.model.inputs, places.features)
splits = member_splits(sessions, plan.split, plan.members, seed, plan.images)[member - 1]
counts = {
    key: {part: len(getattr(split, part)) for part in ("train", "validation", "test")}
    for key, split in splits.items()
}
pd.DataFrame(counts).T.rename(columns={"validation": "stops training", "test": "scored later"})

# %%
encoder = Encoder(plan.model, sessions, seed=member_seed(seed, member))
if source := getattr(plan.model.core, "source", ""):
    size = next(iter(sessions.values())).image_shape[-1]
    kept = weights or (places.weights if places.weights.is_dir() else None)
    begins = trained_network(settings.network(source), places.runs, size, seed, kept)
    encoder.core.start_from(begins)
core_size = sum(weights.numel() for weights in encoder.core.parameters())
size = sum(weights.numel() for weights in encoder.parameters())
print(f"{core_size:,} weights in the core, {size - core_size:,} in the readout")

# %% [markdown]
# ## Training
#
# A killed run continues from its last epoch to the same bits; a finished member is not trained
# twice. Where the configuration says `average`, the weights that are kept, and later scored, are
# the moving average over steps.

# %%
options = {"device": device, "processes": processes}
history = train(
    encoder, sessions, splits, plan.training, member_seed(seed, member), folder, **options
)
history.tail(3)

# %%
use_style()
figure, (losses, scores, rates) = plt.subplots(1, 3, figsize=(10, 3))
panels.loss_curves(losses, pd.read_csv(folder / "steps.csv"), history)
panels.learning_curve(scores, history, model)
panels.learning_rates(rates, history)
losses.set_title(f"{model}, member {member}")
if settings.simulation and not recording:
    mark_simulated(figure)
save_figure(figure, places.figures / f"02_{model}_member_{member:02d}.png")

# %% [markdown]
# **What one sees.** Left, the loss: of single steps on training images (rates and objects, where
# both are learned), and of rates on inner images after every epoch. Where the two part, the
# network has begun to learn its images by heart. In the middle, the correlation over the inner
# images, averaged over sites; the marked epoch is the one that was kept. A network that names
# objects starts ahead of one that begins with nothing. Whether it stays ahead depends on where its
# rates are read: `tuned` reads what the classifier read, 64 numbers without places, and the demo's
# sites are not of that kind. A curve that is flat from its start has a learning rate that is too
# low, or an output that does not vary. Right, that rate.
#
# Next: `03_predict` asks the trained network about images it never saw.
