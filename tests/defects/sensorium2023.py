"""Known defects of published code, and the tests that would show them in ours: sensorium2023."""

DEFECTS = {
    "D1 32 trainings in one loop; the last epoch only": (
        "test_studies.py::test_the_ensemble_of_videos_is_the_published_one",
        "training/test_video_training.py::test_a_run_that_was_killed_goes_on_to_the_same_bits",
        "training/test_video_training.py::test_it_learns_and_validation_is_the_score_of_whole_trials",
    ),
    "D2 weights of ten mice saved, bare weights of five loaded": (
        "training/test_video_training.py::test_some_mice_of_a_checkpoint_are_loaded_and_the_rest_reported",
        "models/test_video_parity.py::test_foreign_states_are_read_strictly",
    ),
    "D3 imports that are not there": ("test_environment.py::test_every_import_is_declared",),
    "D4 paths, devices and mice hard-coded; names that are empty after a slash": (
        "data/test_movies.py::test_mice_are_discovered_by_name_as_folder_zip_and_link",
        "test_house.py::test_the_sources_keep_from",
    ),
    "D5 a reader that writes into the recording": (
        "data/test_movies.py::test_a_read_only_mouse_is_read_and_never_written_to",
    ),
    "D6 a whole trial normalized for each crop": (
        "data/test_movies.py::test_crops_equal_the_crops_of_whole_normalized_trials",
    ),
    "D7 crops that never reach the last frame": (
        "training/test_video_training.py::test_clips_begin_anywhere_up_to_the_last_frame",
    ),
    "D8 a batch of two clips moves the network as far as one of 32": (
        "training/test_video_training.py::test_losses_of_a_small_batch_weigh_less",
        "training/test_video_training.py::test_gradients_add_up_over_mice_and_a_cycle_takes_them_in_turn",
    ),
    "D9 windows used again, or an error, for other lengths": (
        "models/test_stitching.py::test_every_frame_is_written_from_windows_that_see_it",
        "models/test_stitching.py::test_published_lengths_are_stitched_as_published",
        "data/test_movies.py::test_scored_frames_are_249_and_189_or_all",
    ),
    "D10 weights read anew for every trial, predictions as lists": (
        "evaluation/test_movie_predictions.py::test_rows_are_frames_of_trials",
        "evaluation/test_movie_submission.py::test_a_row_is_written_from_arrays",
    ),
    "D11 an unknown mode is a plain readout; none without shifts or for some units": (
        "models/test_hierarchical_readout.py::test_only_the_levels_asked_for_have_tables_and_a_subset_of_units_sees_all_levels",
        "models/test_video_core.py::test_the_pupil_of_a_frame_shifts_the_output_of_that_frame",
    ),
    "D12 all levels computed in every mode; two copies of one file": (
        "models/test_hierarchical_readout.py::test_levels_and_their_fusion_are_the_written_out_ones",
        "models/test_hierarchical_readout.py::test_only_the_levels_asked_for_have_tables_and_a_subset_of_units_sees_all_levels",
    ),
    "D13 options without effect": (
        "test_house.py::test_no_setting_is_accepted_and_ignored",
        "models/test_video_core.py::test_switches_change_the_output_and_alternate_blocks_are_plain_first",
    ),
    "D14 behavior divided by 0": (
        "data/test_movies.py::test_settings_that_movies_do_not_have_are_refused",
        "data/test_movies.py::test_a_mouse_at_rest_sees_the_same_and_does_nothing",
    ),
    "D15 rotated frames that lose their sides": (
        "training/test_augment.py::test_a_quarter_turn_loses_no_side_of_a_video",
    ),
    "D16 validated on random clips, NaN as 0": (
        "training/test_video_training.py::test_it_learns_and_validation_is_the_score_of_whole_trials",
        "evaluation/test_movie_metrics.py::test_constant_and_undefined_predictions_score_0_and_are_counted",
    ),
    "D17 padding that is attended to; windows that never meet": (
        "models/test_video_core.py::test_without_a_shift_or_with_masked_padding_groups_are_windows_of_real_tokens",
        "models/test_video_core.py::test_relative_positions_of_a_shrunk_window_are_the_pairs_own",
        "models/test_video_core.py::test_switches_change_the_output_and_alternate_blocks_are_plain_first",
    ),
    "D18 a description that is not the code": (
        "models/test_video_core.py::test_the_published_core_has_its_parameters_and_its_output",
        "models/test_video_core.py::test_tokens_attend_within_the_published_groups",
    ),
    "D19 old versions pinned": (
        "test_environment.py::test_this_environment_holds_the_pinned_versions",
    ),
}
