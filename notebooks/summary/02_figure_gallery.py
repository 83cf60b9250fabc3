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
# # 02 · Figure gallery
#
# **What has been drawn, and which question does each figure answer?**
#
# A run of all studies leaves more than a hundred figures behind. Every one belongs to a notebook,
# and every notebook asks one question in its first lines. This notebook brings both together: for
# each study a sheet with one figure a notebook, to find one's way, and a page, `gallery.md`, with
# the question of every notebook from `04_evaluate` on and all figures that it drew, to read. Open
# the page in JupyterLab (right click, *Open With*, *Markdown Preview*) or in any editor that shows
# Markdown; figures stay where they are and are only linked.
#
# The order is that of the chapters. Notebooks 01 to 03 are left out, since they draw the same few
# things for each model and each of its members: a look at the input, a history of training, the
# responses of a unit beside their prediction. They lie in the same folders, beginning with the
# number of their notebook.
#
# A figure whose data are simulated says so in its lower right corner. That is no small print. Many
# of these figures look as a finding would, because the simulation was given what the papers found:
# neighbors in cortex that respond alike, later areas that need deeper layers, pupils that move
# receptive fields. They show that an analysis finds what is there, and not that it is there in a
# brain. On recordings of your own, the very same notebooks say which of it holds.

# %%
import matplotlib.pyplot as plt
from PIL import Image

from src.contents import chapters, contents_markdown
from src.figures.style import use_style
from src.manifest import declare, note_input, replacing, save_figure
from src.paths import run_paths
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
columns: int = 4  # of a sheet
pixels: int = 450  # of a figure on a sheet, its longer side

# %%
places = run_paths("summary", recording or profile, data_root, output_root)
root, run = places.figures.parents[1], places.figures.name
found = {study: chapters(study, root / study / run) for study in STUDIES}
drawn = {study: [c for c in each if c.figures] for study, each in found.items()}
sheets = {study: places.figures / f"02_{study}.png" for study in STUDIES if drawn[study]}
page = places.figures / "gallery.md"
declare(page, *sheets.values())

# %% [markdown]
# ## What is there
#
# Notebooks that drew nothing in this run are either not for this profile, or were not run.

# %%
for study, each in found.items():
    counts = sum(len(c.figures) for c in each), len(drawn[study]), len(each)
    print(f"{study}: {counts[0]} figures of {counts[1]} notebooks, of {counts[2]}")

# %%
with replacing(page) as temporary:
    text = contents_markdown([c for each in found.values() for c in each], page.parent)
    temporary.write_text(f"# Figures of {run}\n\n{text}")

# %% [markdown]
# ## A sheet a study
#
# Of each notebook one figure, small, the first by name; of `04_evaluate` the scores. Titles are
# the notebooks', sheets follow the order of the studies.

# %%
use_style()
plain = {"layout": "none", "squeeze": False, "gridspec_kw": {"wspace": 0.06, "hspace": 0.12}}
for study, sheet in sheets.items():
    rows = -(-len(drawn[study]) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.4 * columns, 2 * rows), **plain)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, chapter in zip(axes.flat, drawn[study], strict=False):
        with Image.open(note_input(chapter.figures[0])) as image:
            image.thumbnail((pixels, pixels), Image.Resampling.BILINEAR, reducing_gap=2)
            axis.imshow(image.convert("RGB"), interpolation="none")
        axis.set_title(chapter.title, fontsize=8, pad=3)
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.95 - 0.02 / rows)
    save_figure(figure, sheet)

# %% [markdown]
# **What one sees.** Each study begins with its scores and goes on to what can be learned from
# them: where in the input the responses come from, which layers and which neurons are predicted
# well, what more data, more members or a smaller network would change. What each figure shows is
# said below it in its own notebook, whose executed copy lies in `records` beside the figures.
#
# ## The questions
#
# A list to choose from. The number is that of the notebook in the study's folder.

# %%
for study, each in found.items():
    print(study, *(f"  {chapter.title}: {chapter.question}" for chapter in each), sep="\n")

# %% [markdown]
# The README shows one figure a run, kept by `python -m src.gallery figures/<study>/<run>`, and
# `figures/README.md` the others that were kept.
