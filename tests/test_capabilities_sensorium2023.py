"""An index: for each capability of the study of films, where it is in src and its tests.

Numbers are the rows of section 2 of its specification.
"""

import pytest

from src.paths import ROOT
from tests.test_defects import is_there

MOVIES, LEAKS = "data/test_movies.py", "data/test_movie_leaks.py"
CORE, PARITY = "models/test_video_core.py", "models/test_video_parity.py"
READOUT, STITCHING = "models/test_hierarchical_readout.py", "models/test_stitching.py"
TRAINING, STUDIES = "training/test_video_training.py", "test_studies.py"
METRICS, SUBMISSION = "evaluation/test_movie_metrics.py", "evaluation/test_movie_submission.py"
PREDICTIONS, LAGS = "evaluation/test_movie_predictions.py", "evaluation/test_lags.py"
REFERENCES = "evaluation/test_movie_references.py"
PANELS, GRAPH = "figures/test_movie_panels.py", "test_graph.py"
ROWS = {  # row: file of src, then tests
    "S23-01": (
        "data/movie_mouse.py",
        f"{MOVIES}::test_mice_are_discovered_by_name_as_folder_zip_and_link",
        f"{MOVIES}::test_a_read_only_mouse_is_read_and_never_written_to",
    ),
    "S23-02": (
        "data/fetch.py",
        "data/test_fetch.py::test_what_ends_early_is_continued",
        "data/test_fetch.py::test_a_corrupted_file_is_refused_and_removed",
        "data/test_fetch.py::test_the_registry_says_what_the_specifications_say",
    ),
    "S23-03": (
        "data/movie_tables.py",
        f"{MOVIES}::test_session_table_and_differences_from_the_published",
        f"{MOVIES}::test_published_table_adds_up",
    ),
    "S23-04": (
        "figures/panels",
        f"{PANELS}::test_film_strip_holds_every_frame_in_order",
        f"{PANELS}::test_units_by_depth_stand_where_they_are",
        f"{PANELS}::test_behavior_traces_are_as_many_as_were_recorded",
    ),
    "S23-05": (
        "data/movie_pack.py",
        f"{MOVIES}::test_packed_is_what_was_recorded",
        f"{MOVIES}::test_partners_share_stored_videos",
        f"{MOVIES}::test_packing_again_does_nothing_and_lost_videos_are_found",
    ),
    "S23-06": (
        "data/movie_leaks.py",
        f"{LEAKS}::test_shared_videos_are_those_the_simulator_showed_twice",
        f"{LEAKS}::test_near_copies_are_those_that_a_comparison_of_all_pixels_finds",
    ),
    "S23-07": (
        "data/movie_leaks.py",
        f"{LEAKS}::test_stimulus_disjoint_leaves_out_and_lists_what_is_evaluated",
        f"{LEAKS}::test_near_copies_of_what_is_evaluated_are_left_out_too",
    ),
    "S23-08": (
        "data/frame_statistics.py",
        f"{MOVIES}::test_scalings_differ_as_they_should",
        f"{MOVIES}::test_no_unit_is_divided_by_less_than_a_hundredth_of_the_mean_std",
    ),
    "S23-09": (
        "data/frame_statistics.py",
        f"{MOVIES}::test_statistics_of_training_trials_equal_those_provided",
        f"{MOVIES}::test_moments_over_trials_of_unequal_length_equal_numpy",
    ),
    "S23-10": (
        "data/movies.py",
        f"{MOVIES}::test_scored_frames_are_249_and_189_or_all",
        f"{METRICS}::test_both_frame_policies_are_scored_from_one_file",
    ),
    "S23-11": (
        "data/movies.py",
        f"{MOVIES}::test_crops_equal_the_crops_of_whole_normalized_trials",
        f"{MOVIES}::test_rows_of_a_file_are_read_alone_and_a_short_file_is_an_error",
    ),
    "S23-12": (
        "training/augment.py",
        "training/test_augment.py::test_a_turned_video_turns_the_pupil_with_it",
        "training/test_augment.py::test_a_quarter_turn_loses_no_side_of_a_video",
    ),
    "S23-13": (
        "models/video_core.py",
        f"{CORE}::test_the_published_core_has_its_parameters_and_its_output",
        f"{PARITY}::test_outputs_and_gradients",
    ),
    "S23-14": ("models/video_core.py", f"{CORE}::test_behavior_of_a_frame_reaches_its_token_alone"),
    "S23-15": (
        "models/shifted_windows.py",
        f"{CORE}::test_tokens_attend_within_the_published_groups",
    ),
    "S23-16": (
        "models/shifted_windows.py",
        f"{CORE}::test_switches_change_the_output_and_alternate_blocks_are_plain_first",
        f"{CORE}::test_without_a_shift_or_with_masked_padding_groups_are_windows_of_real_tokens",
        f"{CORE}::test_a_causal_core_sees_no_later_frame",
    ),
    "S23-17": (
        "models/shifted_windows.py",
        f"{CORE}::test_relative_positions_of_a_shrunk_window_are_the_pairs_own",
    ),
    "S23-18": (
        "models/hierarchical_readout.py",
        f"{READOUT}::test_levels_and_their_fusion_are_the_written_out_ones",
        f"{READOUT}::test_without_levels_it_is_a_gaussian_readout",
    ),
    "S23-19": (
        "models/hierarchical_readout.py",
        f"{READOUT}::test_only_the_levels_asked_for_have_tables_and_a_subset_of_units_sees_all_levels",
        f"{READOUT}::test_one_reading_gives_what_readouts_of_each_subset_would",
        f"{READOUT}::test_training_steps_go_without_levels_as_often_as_told",
    ),
    "S23-20": (
        "models/readouts.py",
        f"{READOUT}::test_kinds_of_gaussians_and_positions",
        "models/test_readouts.py::test_when_positions_are_sampled",
    ),
    "S23-21": (
        "models/encoder.py",
        f"{READOUT}::test_only_the_levels_asked_for_have_tables_and_a_subset_of_units_sees_all_levels",
        f"{TRAINING}::test_what_videos_cannot_do_is_refused",
    ),
    "S23-22": (
        "models/encoder.py",
        f"{CORE}::test_the_pupil_of_a_frame_shifts_the_output_of_that_frame",
    ),
    "S23-23": (
        "studies/sensorium2023.py",
        f"{STUDIES}::test_the_ensemble_of_videos_is_the_published_one",
        f"{GRAPH}::test_a_changed_recipe_trains_only_its_model",
    ),
    "S23-24": (
        "config.py",
        "training/test_checkpoint.py::test_a_model_configuration_survives_the_round_trip",
        "training/test_checkpoint.py::test_differences_name_each_changed_entry",
    ),
    "S23-25": (
        "training/trainer.py",
        f"{TRAINING}::test_a_run_that_was_killed_goes_on_to_the_same_bits",
    ),
    "S23-26": (
        "training/trainer.py",
        f"{TRAINING}::test_it_learns_and_validation_is_the_score_of_whole_trials",
        "training/test_trainer.py::test_the_best_weights_come_back",
    ),
    "S23-27": (
        "training/schedule.py",
        f"{TRAINING}::test_the_rate_is_the_published_one",
        "training/test_trainer.py::test_autocast_trains_and_keeps_float32_weights",
    ),
    "S23-28": (
        "training/losses.py",
        "training/test_losses.py::test_losses_of_videos_are_sums_over_clips_frames_and_units",
        f"{TRAINING}::test_losses_of_a_small_batch_weigh_less",
    ),
    "S23-29": (
        "training/trainer.py",
        f"{TRAINING}::test_a_new_mouse_is_fitted_on_a_core_that_stays",
    ),
    "S23-30": (
        "training/start.py",
        f"{TRAINING}::test_some_mice_of_a_checkpoint_are_loaded_and_the_rest_reported",
    ),
    "S23-31": (
        "models/stitching.py",
        f"{STITCHING}::test_every_frame_is_written_from_windows_that_see_it",
        f"{STITCHING}::test_a_trial_shorter_than_a_clip_is_an_error_and_so_is_an_unknown_option",
    ),
    "S23-32": (
        "models/stitching.py",
        f"{STITCHING}::test_published_lengths_are_stitched_as_published",
        f"{STITCHING}::test_means_are_over_all_windows_and_last_is_the_latest_step",
    ),
    "S23-33": (
        "evaluation/members.py",
        f"{STUDIES}::test_the_ensemble_of_videos_is_the_published_one",
        "evaluation/test_members.py::test_each_size_is_the_mean_over_its_subsets_and_sessions",
    ),
    "S23-34": (
        "evaluation/movie_submission.py",
        f"{SUBMISSION}::test_types_and_compression_are_the_competitions",
        f"{SUBMISSION}::test_a_row_is_written_from_arrays",
        f"{SUBMISSION}::test_zips_are_flat_and_hold_what_belongs_together",
    ),
    "S23-35": (
        "evaluation/movie_submission.py",
        f"{SUBMISSION}::test_a_file_that_is_not_as_it_must_be_is_named",
        f"{SUBMISSION}::test_an_incomplete_file_is_not_put_into_a_zip",
    ),
    "S23-36": (
        "evaluation/movie_results.py",
        f"{METRICS}::test_public_mice_are_scored_offline_and_withheld_ones_are_not",
    ),
    "S23-37": (
        "evaluation/movie_metrics.py",
        f"{METRICS}::test_single_trial_correlation_equals_the_published",
        f"{METRICS}::test_averages_equal_loops_over_videos_and_repeats",
        f"{METRICS}::test_scores_by_stimulus_are_of_its_frames_alone",
    ),
    "S23-38": (
        "evaluation/movie_results.py",
        f"{METRICS}::test_intervals_hold_the_score_and_comparisons_are_paired",
    ),
    "S23-39": (
        "evaluation/movie_results.py",
        f"{METRICS}::test_published_scores_stand_beside_ours_of_the_same_mice_and_track",
    ),
    "S23-40": (
        "data/movies.py",
        f"{MOVIES}::test_a_mouse_at_rest_sees_the_same_and_does_nothing",
        f"{MOVIES}::test_scalings_differ_as_they_should",
        f"{LAGS}::test_each_step_is_scored_on_its_own_frames",
    ),
    "S23-41": (
        "models/video_convolutions.py",
        "models/test_video_convolutions.py::test_the_recurrent_unit_is_the_written_out_one",
        "models/test_video_convolutions.py::test_outputs_are_of_the_last_frames_and_see_none_after_theirs",
    ),
    "S23-42": (
        "figures/panels",
        f"{PANELS}::test_stimulus_scores_have_a_bar_a_model_and_the_ceiling",
        "test_capabilities_sensorium2023.py::test_figures_are_drawn_from_what_was_saved",
    ),
    "S23-43": (
        "evaluation/movie_references.py",
        f"{GRAPH}::test_the_real_notebooks_warn_of_nothing",
        f"{REFERENCES}::test_a_linear_map_of_the_frame_finds_what_answers_at_once",
        f"{REFERENCES}::test_the_mean_response_scores_0_and_its_loss_is_that_of_the_rate",
        f"{REFERENCES}::test_every_model_of_the_smoke_run_beats_both_references",
    ),
    "S23-44": (
        "data/movie_checks.py",
        f"{MOVIES}::test_an_error_is_one_line_and_stops_packing",
        f"{METRICS}::test_constant_and_undefined_predictions_score_0_and_are_counted",
    ),
}


def test_every_row_is_in_the_index():
    assert list(ROWS) == [f"S23-{i:02}" for i in range(1, 45)]


@pytest.mark.parametrize("row", ROWS)
def test_its_code_and_tests_are_there(row):
    file, *nodes = ROWS[row]
    assert (ROOT / "src" / file).exists()
    assert [node for node in nodes if not is_there(node)] == []


def test_figures_are_drawn_from_what_was_saved():
    """No figure trains or predicts, so none asks for a device: they are redrawn without a GPU."""
    figures = sorted((ROOT / "notebooks/sensorium2023").glob("*_fig_*.py"))
    assert len(figures) == 7
    for path in figures:
        code = path.read_text()
        called = {w for w in ("device", "cuda", "movie_predictions(", "train(") if w in code}
        assert not called, f"{path.name}: {called}"
