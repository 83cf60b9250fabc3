"""An index: for each known defect of published code, the tests that would show it in ours.

Numbers are the rows of section 11 of a study's specification. Tests stand beside what they test;
here it is only checked that they are still there.
"""

import ast
import re

import pytest

from src.paths import ROOT

SENSORIUM2022 = {
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
    "D21 a shifter whose initialiser matches no layer": (
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

MACAQUE_IT = {
    "D1 features of a shuffled loader set against unshuffled rates": (
        "models/test_extraction.py::test_shuffled_or_other_rows_are_refused",
        "models/test_extraction.py::test_permuted_images_permute_features",
        "evaluation/test_feature_grams.py::test_grams_of_these_features_are_kept_and_others_made_anew",
        "evaluation/test_prediction.py::test_ids_that_were_given_to_other_images_are_refused",
        "evaluation/test_linear_scores.py::test_permuted_responses_destroy_every_score",
    ),
    "D2 the last layer's fit used for every layer": (
        "evaluation/test_linear_probes.py::test_every_layer_has_an_alpha_of_its_own",
        "evaluation/test_ridge.py::test_layers_with_different_best_alphas_each_get_their_own",
    ),
    "D3 a schedule that never acts or kills the rate; constant outputs": (
        "training/test_schedule.py::test_lengths_that_could_not_be_kept_are_refused",
        "training/test_schedule.py::test_warm_up_and_cosine_are_the_published_ones",
        "training/test_regression.py::test_constant_predictions_are_counted_and_said_once",
    ),
    "D4 tuned and reported on the same images, without error bars": (
        "data/test_splits.py::test_an_inner_split_tests_on_validation_trials_and_stops_on_others",
        "evaluation/test_probes.py::test_what_is_scored_is_not_fitted",
        "evaluation/test_intervals.py::test_interval_table_encloses_the_scores_and_averages_sessions",
    ),
    "D5 images normalised twice": (
        "models/test_networks.py::test_images_are_prepared_once",
        "data/test_inferotemporal.py::test_a_bad_picture_stops_packing_and_leaves_nothing",
        "simulate/test_inferotemporal_failures.py::test_a_planted_failure_is_one_finding",
    ),
    "D6 normalised pixels divided by 255, a class number as one more feature": (
        "evaluation/test_linear_probes.py::test_given_maps_of_pixels_are_those_of_scikit_learn",
    ),
    "D7 alpha chosen on scored images, components found before the folds": (
        "evaluation/test_linear_probes.py::test_choices_do_not_look_at_scored_images",
        "evaluation/test_linear_probes.py::test_given_maps_of_pixels_are_those_of_scikit_learn",
        "evaluation/test_ridge.py::test_held_out_rows_equal_refits_without_them",
    ),
    "D8 one transform for all layers": (
        "evaluation/test_linear_probes.py::test_every_layer_has_an_alpha_of_its_own",
        "evaluation/test_linear_probes.py::test_combined_layers_are_ridge_on_weighted_features",
    ),
    "D9 one random start, and a collapsed one": (
        "test_studies.py::test_the_untrained_control_is_of_five_starts",
        "models/test_frozen.py::test_random_starts_differ_and_repeat_by_seed",
        "models/test_frozen.py::test_a_calibrated_start_is_the_same_start_with_batch_norm_of_the_images",
        "models/test_networks.py::test_calibrated_batch_norm_makes_activations_of_mean_0_and_variance_1",
    ),
    "D10 outputs that cannot be negative, for rates that are": (
        "training/test_regression.py::test_a_small_network_learns_responses_of_either_sign",
        "training/test_regression.py::test_poisson_losses_refuse_predictions_of_either_sign",
        "evaluation/test_prediction.py::test_a_linear_output_is_itself_the_response",
    ),
    "D11 a network made anew for every batch": (
        "models/test_extraction.py::test_one_pass_a_batch_serves_all_layers_and_a_rerun_needs_none",
        "models/test_extraction.py::test_a_killed_pass_goes_on_and_ends_in_the_same_bytes",
    ),
    "D12 class numbers from the order of a set": (
        "data/test_objects.py::test_numbers_are_the_same_in_two_processes",
    ),
    "D13 activations as text": (
        "models/test_extraction.py::test_hooks_give_what_a_forward_by_hand_gives",
        "models/test_extraction.py::test_the_manifest_says_what_the_features_are_of",
    ),
    "D14 weights called pretrained": (
        "models/test_networks.py::test_unknown_names_are_answered_with_known_ones",
        "models/test_networks.py::test_every_record_names_its_weights_and_terms",
    ),
    "D15 no chance level, ceiling or interval": (
        "evaluation/test_probes.py::test_group_means_are_those_of_fitted_trials",
        "evaluation/test_linear_scores.py::test_permuted_responses_destroy_every_score",
        "evaluation/test_linear_probes.py::test_permuted_responses_are_fitted_beside_the_others_and_predict_nothing",
        "evaluation/test_ceilings.py::test_split_half_and_spearman_brown",
        "training/test_pretraining.py::test_chance_is_that_of_a_classifier_that_does_not_look",
    ),
    "D16 fits on their own images as evidence": (
        "evaluation/test_linear_scores.py::test_in_sample_scores_are_labelled",
        "evaluation/test_linear_scores.py::test_arbitrary_regressors_explain_their_share_in_sample",
    ),
    "D17 averaged weights thrown away": (
        "training/test_regression.py::test_the_evaluated_weights_are_the_averaged_ones",
    ),
    "D18 components of rows that were not centered": (
        "evaluation/test_linear_probes.py::test_given_maps_of_pixels_are_those_of_scikit_learn",
        "evaluation/test_ridge.py::test_pixel_baselines",
        "evaluation/test_gram.py::test_digits_survive_an_offset",
    ),
    "D19 scored in training mode": (
        "models/test_extraction.py::test_modes_are_restored_also_after_an_error",
        "training/test_pretraining.py::test_evaluation_leaves_each_part_in_its_mode",
        "evaluation/test_prediction.py::test_prediction_is_made_in_evaluation_mode",
    ),
    "D20 a schedule of another optimizer; the worst taken for the best": (
        "training/test_pretraining.py::test_rates_of_the_optimizer_are_the_closed_form",
        "training/test_regression.py::test_steps_are_those_of_adamw_on_clipped_gradients",
        "training/test_trainer.py::test_the_best_weights_come_back",
        "training/test_search.py::test_larger_is_better",
    ),
}
SENSORIUM2023 = {
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
    "D6 a whole trial normalised for each crop": (
        "data/test_movies.py::test_crops_equal_the_crops_of_whole_normalised_trials",
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
INDEX = {
    "sensorium2022": SENSORIUM2022,
    "sensorium2023": SENSORIUM2023,
    "macaque_it": MACAQUE_IT,
}
DEFECTS = [(study, defect) for study, index in INDEX.items() for defect in index]


@pytest.mark.parametrize(
    ("study", "count"), [("sensorium2022", 23), ("sensorium2023", 19), ("macaque_it", 20)]
)
def test_every_defect_is_in_the_index(study, count):
    numbers = [int(re.match(r"D(\d+) ", name)[1]) for name in INDEX[study]]
    assert numbers == list(range(1, count + 1))


@pytest.mark.parametrize(("study", "defect"), DEFECTS)
def test_its_tests_are_there(study, defect):
    for node in INDEX[study][defect]:
        file, name = node.split("::")
        tree = ast.parse((ROOT / "tests" / file).read_text())
        assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, node
