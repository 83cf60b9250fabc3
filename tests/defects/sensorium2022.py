"""Known defects of published code, and the tests that would show them in ours: sensorium2022."""

DEFECTS = {
    "D1 fails on current Python; imports that nobody declared": (
        "test_environment.py::test_every_import_is_declared",
        "test_environment.py::test_this_environment_holds_the_pinned_versions",
        "test_environment.py::test_the_first_use_installs_and_the_second_does_not",
    ),
    "D2 arguments that current torch has removed": (
        "test_graph.py::test_the_real_notebooks_warn_of_nothing",
        "training/test_trainer.py::test_training_learns",
        "training/test_schedule.py::test_upstream_plateau_equals_torch",
    ),
    "D3 weights that load loosely and silently wrong": (
        "models/test_upstream.py::test_checkpoint_outputs",
        "models/test_upstream.py::test_any_difference_is_listed",
        "models/test_cores.py::test_parameter_counts",
        "test_house.py::test_the_sources_keep_from",
    ),
    "D4 CUDA hard-coded, no map_location": (
        "models/test_upstream.py::test_checkpoint_sizes",
        "training/test_device.py::test_an_unknown_or_absent_device_is_an_error",
        "test_house.py::test_the_sources_keep_from",
    ),
    "D5 one configuration pasted six times; GPU ids and working directory hard-coded": (
        "test_notebooks.py::test_models_and_recipes_come_from_the_study",
        "test_notebooks.py::test_a_notebook_names_no_place",
        "test_notebooks.py::test_papermill_runs_a_notebook_as_people_expect",
        "test_house.py::test_the_sources_keep_from",
    ),
    "D6 hidden re-rooting of paths; inputs that nothing makes": (
        "data/test_sensorium.py::test_key_from_name_or_from_neurons_and_role",
        "data/test_pack.py::test_cache_outlives_its_source_and_moves_with_it",
        "test_graph.py::test_a_manifest_says_what_was_used_and_made",
        "data/test_box_files.py::test_a_missing_file_is_an_error_or_by_option_the_full_frame",
    ),
    "D7 a summary that divides by five over seven mice, and holds NaN": (
        "evaluation/test_scores.py::test_summary_skips_withheld_sessions",
        "evaluation/test_scores.py::test_only_withheld_sessions_make_no_number",
        "evaluation/test_submission.py::test_files_are_the_competitions_to_the_column",
    ),
    "D8 metrics that travel through text files, overwritten in the working directory": (
        "evaluation/test_prediction.py::test_saved_prediction_comes_back_with_its_ids_and_provenance",
        "evaluation/test_scores.py::test_unit_table_holds_the_metrics",
        "evaluation/test_submission.py::test_what_is_written_comes_back",
        "test_house.py::test_the_sources_keep_from",
    ),
    "D9 a cache of gigabytes for each process; rescaling every epoch": (
        "data/test_session.py::test_reading_everything_adds_little_private_memory",
        "data/test_session.py::test_pickled_session_carries_no_images_and_maps_its_own",
        "data/test_session.py::test_quarter_sums_change_no_bit",
        "data/test_pack.py::test_images_are_stored_once_by_content",
    ),
    "D10 the model moved for every batch; colors by Python loops": (
        "training/test_trainer.py::test_the_model_is_placed_once_whatever_the_number_of_batches",
        "analyses/test_retinotopy.py::test_colors_of_a_whole_brain_take_no_loop",
        "analyses/test_cortical_grid.py::test_interpolation_is_that_of_scipy",
    ),
    "D11 scores of units filtered, their ids lost": (
        "evaluation/test_scores.py::test_unit_table_keeps_every_unit_in_file_order",
    ),
    "D12 an ensemble score that uses its first member for all": (
        "evaluation/test_ensemble.py::test_two_members_score_as_their_mean_not_as_the_first",
    ),
    "D13 the learning rate falls an epoch late; statistics of the last batch of the last mouse": (
        "training/test_schedule.py::test_fixed_rates_fall_exactly_at_the_restoration",
        "training/test_batchnorm.py::test_statistics_are_the_mean_over_batches_of_all_sessions",
        "training/test_trainer.py::test_recalibration_replaces_the_statistics",
    ),
    "D14 members share all seeds; one validates on what another trained on": (
        "test_seeds.py::test_members_have_seeds_of_their_own",
        "data/test_splits.py::test_each_trial_is_held_out_once",
        "evaluation/test_ensemble.py::test_out_of_fold_puts_the_held_out_parts_together",
    ),
    "D15 no box looks like a full-frame box": (
        "data/test_session.py::test_boxes_from_file_full_frame_or_none",
        "data/test_box_files.py::test_flag_of_files_is_whether_the_box_is_the_full_frame",
        "data/test_box_files.py::test_shuffled_boxes_belong_to_other_images_and_repeats_keep_one",
    ),
    "D16 behavior divided by a standard deviation of zero": (
        "data/test_session.py::test_missing_behavior_and_pupil_are_zero_and_flagged",
        "data/test_session.py::test_one_behavior_that_never_varies_is_zero_and_the_others_are_kept",
    ),
    "D17 a model evaluated at another image scale": (
        "models/test_encoder.py::test_images_of_another_shape_are_refused",
        "training/test_checkpoint.py::test_another_session_is_refused_naming_both",
        "training/test_trainer.py::test_a_session_at_another_scale_or_with_other_units_is_refused",
    ),
    "D18 arguments that crash or are silently ignored": (
        "test_house.py::test_no_argument_is_accepted_and_ignored",
        "test_house.py::test_no_setting_is_accepted_and_ignored",
        "data/test_session.py::test_selected_images_thin_one_tier_only",
    ),
    "D19 receptive fields of 300 GB, not centered, noise added to the fit": (
        "analyses/test_noise_sums.py::test_memory_is_that_of_the_accumulators_and_a_batch",
        "analyses/test_noise_sums.py::test_streaming_equals_the_covariance_of_everything",
        "analyses/test_gaussian_fit.py::test_planted_parameters_are_recovered",
        "analyses/test_gaussian_fit.py::test_failures_stay_in_the_table_with_their_reason",
    ),
    "D20 analyses without a null": (
        "analyses/test_retinotopy.py::test_retinotopy_stands_out_of_its_null_and_noise_does_not",
        "analyses/test_receptive_fields.py::test_null_responses_are_to_other_images",
        "analyses/test_cortical_grid.py::test_shuffled_units_give_a_falling_rank_lag_curve",
        "analyses/test_clusters.py::test_scaled_features_give_both_parts_the_same_variance",
    ),
    "D21 a shifter whose initializer matches no layer": (
        "models/test_shifters.py::test_layers_start_as_pytorch_s_linear_does",
    ),
    "D22 global seeds; subsets that are not nested": (
        "test_house.py::test_the_sources_keep_from",
        "test_seeds.py::test_global_generators_are_left_alone",
        "data/test_session.py::test_random_units_are_seeded_and_nested",
        "data/test_splits.py::test_fewer_images_are_nested_and_keep_all_their_trials",
    ),
    "D23 library generations that differ in loss, biases and padding": (
        "training/test_losses.py::test_poisson_loss_is_the_written_out_sum",
        "models/test_cores.py::test_parameter_counts",
        "models/test_cores.py::test_baseline_output_shape",
        "models/test_upstream.py::test_checkpoint_loss_penalties_and_gradients",
    ),
}
