"""The scores of each study that stand in the summary, and the published number beside each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from src.studies import STUDIES
from src.studies.records import CORRELATIONS, PublishedScore

SINGLE, AVERAGE = CORRELATIONS["single"], CORRELATIONS["avg"]
WITHHELD = "other mice, whose responses are withheld"


@dataclass(frozen=True)
class MainScore:
    """One score: where the tables of a run have it, and which published number it may meet.

    The first row counts in which the column `named` matches `model`, and each column of `where`
    its pattern. `interval` names the columns of the interval's ends; without, the run's table of
    intervals is asked.
    """

    model: str
    metric: str  # column of the table
    says: str  # the metric in words
    where: tuple[tuple[str, str], ...] = (("session", "mean of *"),)
    table: str = "scores"
    named: str = "model"
    place: str = "session"  # column that says on what it was scored
    units: str = "n_units"
    interval: tuple[str, ...] = ()
    # of this run only, in place of any other score of the same name; empty: of all, with the
    # published number only where the run is a profile of the study, so of its own kind of data
    runs: str = ""
    brief: bool = False  # stands in the README as well
    beside: PublishedScore | None = None
    alike: tuple[str, ...] = ("full",)  # runs in which both are of the same data and metric
    because: str = "other data"  # why not, elsewhere


def _published(study: str, system: str, session: str, metric: str) -> PublishedScore:
    """The first number of the literature of that name."""
    known = STUDIES[study].published
    (found, *_) = (p for p in known if (p.system, p.session, p.metric) == (system, session, metric))
    return found


def _reference(system: str, metric: str, value: float, session: str = "") -> PublishedScore:
    """A number measured on a recording by whoever passed it on."""
    return PublishedScore(
        system,
        session,
        metric,
        value,
        0.01,
        "notes that came with the recording",
        status="measured",
    )


# SENSORIUM 2022: the mean over mice, and single mice of which a published score is known.
_MOUSE = "21067-10-18"
_2022 = (
    MainScore("ln", "avg", AVERAGE, brief=True),
    MainScore("cnn", "avg", AVERAGE, brief=True),
    MainScore("wide", "avg", AVERAGE),
    MainScore("wide x *", "avg", AVERAGE, brief=True),
    MainScore("wide_plus", "avg", AVERAGE),
    MainScore("compact x *", "avg", AVERAGE, brief=True),
    MainScore("student x *", "avg", AVERAGE, brief=True),
    *(
        MainScore(
            *("cnn", metric, says, (("session", _MOUSE),)),
            beside=_published("sensorium2022", "baseline CNN, 7 mice", _MOUSE, metric),
        )
        for metric, says in (("single", SINGLE), ("avg", AVERAGE), ("feve", "FEVE"))
    ),
    *(
        MainScore(
            *("wide", "feve", "FEVE", (("session", mouse),)),
            beside=_published("sensorium2022", "winner type, no ensemble", mouse, "feve"),
        )
        for mouse in (_MOUSE, "22846-10-16", "23343-5-17", "23656-14-22", "23964-4-22")
    ),
    MainScore(
        *("vit", "avg", AVERAGE),
        beside=_published(
            "sensorium2022", "V1T, behavior and pupil, mean of 5 mice", "mean", "avg"
        ),
        alike=(),
        because="mean of 5 mice of 7",
    ),
)

# SENSORIUM 2023: the main track; the oracle trials of mice of which a published score is known.
_OFFICIAL = ("frames", "official")
_MAIN = (("session", "mean of *"), ("track", "main"), _OFFICIAL)
_OOD = (("session", "mean of *"), ("track", "OOD"), _OFFICIAL)
_2023 = (
    MainScore("linear", "single", SINGLE, _MAIN, brief=True),
    MainScore("gated_0", "single", SINGLE, _MAIN),
    MainScore("mean_2_4_8_16", "single", SINGLE, _MAIN, brief=True),
    MainScore(
        *("compact", "single", SINGLE, _MAIN),
        brief=True,
        beside=_published("sensorium2023", "DwiseNeuro, final main", "mean", "single"),
        alike=(),
        because=WITHHELD,
    ),
    MainScore(
        *("compact", "single", f"{SINGLE}, other films", _OOD),
        beside=_published("sensorium2023", "DwiseNeuro, final OOD", "mean", "single"),
        alike=(),
        because=WITHHELD,
    ),
    *(
        MainScore(
            *("compact", "single", f"{SINGLE}, oracle", (("session", mouse), ("track", "oracle"))),
            beside=_published("sensorium2023", "ViV1T, mean of 5, oracle", mouse, "single"),
        )
        for mouse in ("29515-10-12", "29623-4-9", "29647-19-8", "29712-5-9", "29755-2-8")
    ),
    MainScore(
        *("compact", "single", SINGLE, _MAIN),
        runs="lgn",
        brief=True,
        beside=_reference("ridge on 12 frames", "single", 0.747),
        alike=("lgn",),
    ),
)

# Macaque IT: the layer that stands for each network, and what course projects had on the real file.
_LAYER = (("session", "mean of *"), ("headline", "True"))
_COURSE = {
    "pixels": "pixels, PCA-1000, tuned ridge",
    "untrained_*": "random ResNet-50, best layer",
    "resnet50_layer[0-9]": "ResNet-50 layer3, PCA-1000, ridge",
    "it_cnn": "CNN trained on rates",
    "layer3_head": "CNN on ResNet-50 layer3",
    "barlow_twins_*": "best frozen: Barlow Twins layer4.0, ridge",
    "densenet201_tuned": "best: DenseNet-201, fine-tuned",
}
_HALVES = {  # session: reference of AlexNet's best layer, and of ResNet-50 layer3
    "210224": (("alexnet_conv3", 0.486), ("resnet50_caffe_layer3", 0.497)),
    "210325": (("alexnet_conv2", 0.505), ("resnet50_caffe_layer3", 0.538)),
}
_HALF = {"named": "system", "units": "units", "runs": "macaque_v4", "alike": ("macaque_v4",)}
_IT = (
    MainScore("planted_*", "ev", "EV", _LAYER, brief=True),
    *(
        MainScore(
            *(model, "ev", "EV", _LAYER),
            brief=model in ("pixels", "it_cnn", "resnet50_layer[0-9]"),
            beside=_published("macaque_it", system, "pooled", "ev"),
            alike=("full", "extended"),
        )
        for model, system in _COURSE.items()
    ),
    MainScore("objects_*", "ev", "EV", _LAYER, brief=True),
    MainScore("alexnet_*", "ev", "EV", _LAYER, brief=True),
    MainScore("resnet50_caffe_*", "ev", "EV", _LAYER, brief=True),
    MainScore("fields", "ev", "EV", _LAYER, brief=True),
    MainScore("all_layers", "ev", "EV", _LAYER),
    *(
        MainScore(
            *(model, "median r", "median r, second half", (("session", session),)),
            table="03_layers_halves",
            beside=_reference(f"{model}, dense kernel ridge", "avg", value, session),
            **_HALF,
        )
        for session, layers in _HALVES.items()
        for model, value in layers
    ),
    *(
        MainScore(
            *("fields_halves", "median r", "median r, second half", (("session", session),)),
            table="03_fields_halves",
            brief=True,
            beside=_reference(f"{layers[1][0]}, dense kernel ridge", "avg", layers[1][1], session),
            **_HALF,
        )
        for session, layers in _HALVES.items()
    ),
)

# CORnets: the layer that stands for each network in V4 and in IT.
_PRIVATE = {"alike": (), "because": "private recordings"}
_CORNET = (
    *(
        MainScore(
            *(model, "raw", f"median r, {region}", (("region", region), ("headline", "True"))),
            place="place",
            interval=("ci_low", "ci_high"),
            brief=region == "IT",
            beside=_published("cornet", system, "private", region.lower()) if system else None,
            **_PRIVATE,
        )
        for region in ("V4", "IT")
        for model, system in (
            ("planted", ""),
            ("cornet_z", ""),
            ("cornet_z_random*", ""),
            ("cornet_rt", ""),
            ("cornet_s", "CORnet-S"),
        )
    ),
    MainScore(
        *("human and monkey IT, Pearson r", "ours", "over pairs", ()),
        table="09_agreement",
        named="number",
        runs="rsa92",
        brief=True,
        beside=PublishedScore(
            *("human and monkey IT", "", "rdm", 0.49, 0.01, "Kriegeskorte et al. 2008"),
            status="as printed",
        ),
        alike=("rsa92",),
    ),
    *(
        MainScore(
            *(f"alexnet {layer}", "mean_human", "rank correlation with human IT", ()),
            table="09_models",
            runs="rsa92",
            beside=_reference(f"AlexNet {layer}", "rdm", value),
            alike=("rsa92",),
        )
        for layer, value in zip(
            ("conv1", "conv2", "conv3", "conv4", "conv5"),
            (0.180, 0.218, 0.223, 0.290, 0.221),
            strict=True,
        )
    ),
)

# GNet: means over voxels, and the published medians of single subjects.
_SPLIT = {"alike": ("legacy",), "because": "they stopped training by images they trained on"}
_NSD = (
    *(
        MainScore(model, "single", SINGLE, brief=model != "prefilter_fwrf")
        for model in ("gabor_fwrf", "prefilter_fwrf", "alexnet_fwrf", "gnet8j", "gnet8r")
    ),
    *(
        MainScore(
            *("gnet8j", "single_median", f"median {SINGLE}", (("session", f"subj{k:02}"),)),
            beside=_published("nsd_gnet", "GNet8j", f"subj{k:02}", "single"),
            **_SPLIT,
        )
        for k in range(1, 9)
    ),
    *(
        MainScore(
            *(name, "r", "r with the published fields", ()),
            table="10_agreement",
            named="of",
            units="voxels",
            interval=("low", "high"),
            runs="v1_bold",
            brief=True,
        )
        for name in ("x", "y", "sd")
    ),
)

MAIN_SCORES: Mapping[str, tuple[MainScore, ...]] = MappingProxyType(
    {
        "sensorium2022": _2022,
        "sensorium2023": _2023,
        "macaque_it": _IT,
        "cornet": _CORNET,
        "nsd_gnet": _NSD,
    }
)
