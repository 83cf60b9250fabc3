"""Every planted failure is one line: file, field, shapes, remedy; a whole mouse is silent."""

import re
import shutil

import numpy as np
import pytest

from src.data.checks import check_mouse, require_tables, require_valid
from src.data.errors import DataError
from src.data.sensorium import open_mouse


def change(file, function):
    np.save(file, function(np.load(file)))


def put(file, where, value):
    array = np.load(file)
    array[where] = value
    np.save(file, array)


def remove_response(folder):
    (folder / "data/responses/17.npy").unlink()


def add_image(folder):
    shutil.copy(folder / "data/images/0.npy", folder / "data/images/60.npy")


def add_stray_file(folder):
    shutil.copy(folder / "data/images/0.npy", folder / "data/images/0 (copy).npy")


def misspell_tier(folder):
    put(folder / "meta/trials/tiers.npy", 5, "tset")


def drop_a_unit(folder):
    for i in range(60):
        change(folder / f"data/responses/{i}.npy", lambda r: r[:-1])


def spoil_response(folder):
    put(folder / "data/responses/5.npy", 3, np.nan)


def shrink_image(folder):
    change(folder / "data/images/0.npy", lambda x: x[:, :-1])


def zero_statistics(folder):
    for file in (folder / "meta/statistics").rglob("*.npy"):
        change(file, np.zeros_like)


def repeat_trial_id(folder):
    change(folder / "meta/trials/trial_idx.npy", lambda x: np.r_[x[:-1], x[0]])


def leak_image(folder):
    put(folder / "meta/trials/frame_image_id.npy", 2, 1000)


def empty_validation(folder):
    change(folder / "meta/trials/tiers.npy", lambda x: np.where(x == "validation", "train", x))


def truncate(folder):
    file = folder / "data/images/9.npy"
    file.write_bytes(file.read_bytes()[:-100])


def truncate_table(folder):
    file = folder / "meta/neurons/unit_ids.npy"
    file.write_bytes(file.read_bytes()[:-8])


def boxes_in_pixels(folder):
    (folder / "data/xywh").mkdir()
    for i in range(60):
        np.save(folder / f"data/xywh/{i}.npy", np.array([0.5, 0.5, 12, 0.2]))


def shorten_trial_table(folder):
    change(folder / "meta/trials/trial_idx.npy", lambda x: x[:-1])


def shorten_coordinates(folder):
    change(folder / "meta/neurons/cell_motor_coordinates.npy", lambda x: x[:, :2])


def repeat_unit_id(folder):
    put(folder / "meta/neurons/unit_ids.npy", 1, 1)


def remove_tiers(folder):
    (folder / "meta/trials/tiers.npy").unlink()


def two_behavior_values(folder):
    np.save(folder / "data/behavior/4.npy", np.zeros(2))


def std_of_other_units(folder):
    change(folder / "meta/statistics/responses/all/std.npy", lambda x: x[:5])


def silence_training(folder):
    for i in range(30):
        change(folder / f"data/responses/{i}.npy", np.zeros_like)


def negative_response(folder):
    put(folder / "data/responses/5.npy", 3, -0.5)


def rename_to_other_mouse(folder):
    put(folder / "meta/neurons/scan_idx.npy", slice(None), 19)


FAILURES = {
    remove_response: r"error: data/responses/17.npy is missing: .*has 59 files but .* 60 trials",
    add_image: r"error: data/images/60.npy is too many: .*has 61 files .* 60 trials; remove",
    add_stray_file: r"error: data/images/0 \(copy\).npy is too many",
    misspell_tier: r"error: meta/trials/tiers.npy has unknown tier 'tset' in 1 trials: use train",
    drop_a_unit: r"error: data/responses/0.npy is \(6,\) but meta/neurons/unit_ids.npy is .7,\): "
    r".* 59 more such files",
    spoil_response: r"error: data/responses/5.npy has 1 of 7 values NaN or infinite \(first: 3\)",
    shrink_image: r"error: data/images/0.npy is \(1, 15, 24\) but the other images .*16, 24\)",
    repeat_trial_id: r"error: meta/trials/trial_idx.npy lists trial \d+ more than once",
    leak_image: r"warning: meta/trials/tiers.npy has 1 image ids in train and in test \(first",
    empty_validation: r"error: meta/trials/tiers.npy has no validation trial: mark some of its 60",
    truncate: r"error: data/images/9.npy is truncated: .*float32, 1536 bytes, but 1436",
    truncate_table: r"error: meta/neurons/unit_ids.npy is truncated",
    boxes_in_pixels: r"error: data/xywh/0.npy has box \[0.5, 0.5, 12.0, 0.2\] outside \[0, 1\]",
    shorten_trial_table: r"error: meta/trials/trial_idx.npy is \(59,\) but .* lists 60 trials",
    shorten_coordinates: r"error: .*coordinates.npy is \(7, 2\) but 7 units need \(7, 3\)",
    repeat_unit_id: r"error: meta/neurons/unit_ids.npy lists unit 1 more than once",
    remove_tiers: r"error: meta/trials/tiers.npy is missing: get the recording again",
    two_behavior_values: r"error: data/behavior/4.npy is \(2,\) but a trial is \(3,\): get",
    std_of_other_units: r"error: meta/statistics/responses/all/std.npy is \(5,\) but meta has 7",
    silence_training: r"error: data/responses: all responses of tier train are zero",
    negative_response: r"warning: data/responses/5.npy has negative responses \(least: -0.5\)",
    rename_to_other_mouse: r"warning: the name says session 21067-10-18 but .* says 21067-10-19",
}


def lines(report):
    return [f"{r.severity}: {r.message}" for r in report.itertuples()]


def test_whole_mouse_gives_an_empty_report(write_mouse):
    report = require_valid(open_mouse(write_mouse().folder))
    assert report.empty and report.columns.tolist() == ["severity", "file", "field", "message"]


@pytest.mark.parametrize("plant", FAILURES, ids=lambda f: f.__name__)
def test_planted_failure_is_one_line(write_mouse, plant):
    folder = write_mouse().folder
    plant(folder)
    mouse = open_mouse(folder)
    report = check_mouse(mouse)
    (line,) = lines(report)
    assert "\n" not in line
    assert re.match(FAILURES[plant], line), line
    if line.startswith("error"):
        with pytest.raises(DataError, match=r"^session '21067-10-18' in .*: ") as raised:
            require_valid(mouse)
        assert str(raised.value).endswith(report.message[0])
    else:
        require_valid(mouse)


def test_all_zero_statistics_are_two_errors_and_behavior_a_warning(write_mouse):
    folder = write_mouse().folder
    zero_statistics(folder)
    report = check_mouse(open_mouse(folder))
    errors = report[report.severity == "error"]
    assert errors.file.tolist() == [
        "meta/statistics/images/all/std.npy",
        "meta/statistics/responses/all/std.npy",
    ]
    assert errors.message.str.contains("is all zero: .*have it computed over training").all()
    warned = report[report.severity == "warning"]
    assert warned.field.tolist() == ["behavior", "pupil_center"]
    with pytest.raises(DataError, match=r"images/all/std.npy \(\) is all zero.*\(and 1 more: see"):
        require_valid(open_mouse(folder))


def test_zeroed_behavior_and_withheld_responses_are_notes(write_mouse):
    truth = write_mouse()
    for i in range(60):
        np.save(truth.folder / f"data/behavior/{i}.npy", np.zeros(3))
        if truth.tiers[i] == "test":
            np.save(truth.folder / f"data/responses/{i}.npy", np.zeros(7))
    np.save(truth.folder / "meta/statistics/behavior/all/std.npy", np.zeros(3))
    report = require_valid(open_mouse(truth.folder))
    assert lines(report) == [
        "note: meta/statistics/behavior/all/std.npy is all zero: behavior counts as missing",
        "note: data/responses: all responses of tier test are zero: withheld, no scores there",
    ]


def test_recording_without_the_optional_parts_has_no_error(write_mouse):
    truth = write_mouse("rec", recording=True, statistics=False, shape=(3, 9, 9), image_dtype="u1")
    report = require_valid(open_mouse(truth.folder))
    assert report.severity.tolist() == ["note", "note"]


def test_many_failures_are_all_reported_errors_first(write_mouse):
    folder = write_mouse().folder
    for plant in (leak_image, remove_response, shrink_image, truncate):
        plant(folder)
    report = check_mouse(open_mouse(folder))
    assert report.severity.tolist() == ["error"] * 3 + ["warning"]
    with pytest.raises(DataError, match=r"responses/17.npy is missing.*\(and 2 more"):
        require_valid(open_mouse(folder), report)


def test_tables_are_checked_without_reading_a_trial(write_mouse):
    folder = write_mouse().folder
    spoil_response(folder)
    require_tables(open_mouse(folder))
    misspell_tier(folder)
    with pytest.raises(DataError, match="unknown tier 'tset'"):
        require_tables(open_mouse(folder))
