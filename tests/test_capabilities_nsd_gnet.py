"""An index: for each capability of the NSD study, where it is in src and which tests hold it.

Numbers are the rows of section 2 of its specification.
"""

import pytest

from src.paths import ROOT
from tests.test_defects import is_there

NSD, BUDGET = "simulate/test_nsd.py", "training/test_gnet_budget.py"
GNET, SQUARES, TRAINING = (
    *("models/test_gnet.py", "training/test_squares.py", "training/test_gnet_training.py"),
)
FIELDS, TUNING = "evaluation/test_field_ridge.py", "analyses/test_layer_tuning.py"
TRANSFER, STUDY = "analyses/test_transfer.py", "test_nsd_study.py"
PREDICTION, INTERVALS = "evaluation/test_prediction.py", "evaluation/test_intervals.py"
ROWS = {  # row: file of src, then tests
    "NSD-01": ("data/nsd_session.py", f"{NSD}::test_trials_show_the_images_of_the_design"),
    "NSD-02": (
        "training/gnet_budget.py",
        f"{BUDGET}::test_all_eight_subjects_fit_into_a_small_machine",
        f"{BUDGET}::test_weights_are_counted_as_the_model_has_them",
        f"{BUDGET}::test_disk_is_that_of_the_specification",
        f"{BUDGET}::test_work_is_that_of_the_specification",
        f"{NSD}::test_odd_voxels_are_reported_and_nothing_else",
        f"{NSD}::test_planted_failures_are_named",
    ),
    "NSD-03": (
        "data/nsd.py",
        f"{NSD}::test_masks_of_areas",
        f"{NSD}::test_inflating_fills_gaps_and_not_edges",
        "figures/test_volume_panels.py::test_a_slice_shows_each_mask_in_its_color",
    ),
    "NSD-04": (
        "data/nsd.py",
        f"{NSD}::test_both_formats_give_the_same_voxels",
        f"{NSD}::test_only_voxels_of_areas_are_read",
    ),
    "NSD-05": ("data/nsd.py", f"{NSD}::test_responses_are_scored_within_each_scan_session"),
    "NSD-06": ("data/nsd_session.py", f"{NSD}::test_trials_show_the_images_of_the_design"),
    "NSD-07": (
        "data/panoptic.py",
        "data/test_panoptic.py::test_a_segment_is_red_green_and_blue_and_has_a_kind",
        "data/test_panoptic.py::test_crops_take_shares_of_each_side",
        "data/test_panoptic.py::test_simulated_maps_are_of_the_scenes",
        f"{NSD}::test_the_table_of_images_says_how_they_were_cropped",
        "figures/test_object_panels.py::test_segments_are_shaded_by_kind_and_named_in_their_middle",
    ),
    "NSD-08": (
        "data/splits.py",
        f"{NSD}::test_splits_share_no_image_or_as_published",
        f"{NSD}::test_splits_have_the_published_counts_at_full_size",
    ),
    "NSD-09": (
        "evaluation/ceilings.py",
        f"{TUNING}::test_the_noise_ceiling_of_the_specification",
        f"{TUNING}::test_the_ceiling_is_what_the_signal_itself_reaches",
    ),
    "NSD-10": (
        "models/gnet.py",
        f"{GNET}::test_maps_predictions_and_loss_are_those_stored",
        f"{GNET}::test_gradients_of_every_tensor_are_those_stored",
        f"{TRAINING}::test_one_trunk_for_all_areas_and_subjects",
        f"{TRAINING}::test_one_trunk_for_some_subjects_and_areas",
        f"{STUDY}::test_a_plan_of_some_subjects_and_areas_has_a_name_of_its_own",
        "data/test_session.py::test_some_sessions_and_areas_are_chosen",
    ),
    "NSD-11": ("studies/nsd_gnet.py", f"{TRAINING}::test_a_trunk_for_each_area"),
    "NSD-12": (
        "training/optimizers.py",
        f"{SQUARES}::test_two_passes_a_step_are_the_published_sequence",
        f"{SQUARES}::test_one_pass_a_step_is_the_specified_sequence",
    ),
    "NSD-13": (
        "models/map_sessions.py",
        f"{GNET}::test_stored_maps_of_the_prefilter_in_half_precision_do",
        f"{TRAINING}::test_pixels_give_what_stored_maps_give",
    ),
    "NSD-14": (
        "models/pooling_readout.py",
        f"{GNET}::test_units_pooled_in_blocks_are_the_formula_and_its_gradients",
        f"{BUDGET}::test_what_is_pooled_is_bounded_by_chunk",
    ),
    "NSD-15": (
        "training/trainer.py",
        "training/test_kill.py::test_a_run_killed_again_and_again_gives_the_same_bytes",
        f"{TRAINING}::test_one_trunk_for_all_areas_and_subjects",
    ),
    "NSD-16": (
        "figures/panels/training.py",
        "figures/test_panels.py::"
        "test_learning_curve_marks_the_kept_epoch_and_each_fall_of_the_rate",
        "figures/test_panels.py::test_a_violin_an_epoch_stands_around_its_median",
        f"{SQUARES}::test_the_median_unit_can_be_the_score",
        f"{TRAINING}::test_scores_of_units_after_each_epoch_survive_a_kill",
    ),
    "NSD-17": (
        "evaluation/field_search.py",
        f"{FIELDS}::test_choices_are_those_stored",
        f"{FIELDS}::test_grids_have_the_published_candidates",
        f"{FIELDS}::test_planted_fields_are_found",
        f"{FIELDS}::test_each_row_is_predicted_without_it",
        f"{FIELDS}::test_a_coarse_search_finds_what_all_candidates_would",
    ),
    "NSD-18": (
        "analyses/wave_tuning.py",
        "analyses/test_wave_tuning.py::test_voxels_of_one_grating_are_recognized",
        "models/test_gabor.py::test_frequencies_have_the_specified_sizes",
        "models/test_gabor.py::test_planted_fields_and_orientations_are_found",
        "data/test_nifti.py::test_maps_lie_over_the_volume_they_were_made_for",
        "figures/test_volume_panels.py::test_slices_show_values_where_the_mask_is",
    ),
    "NSD-19": (
        "training/own_best.py",
        f"{TRAINING}::test_each_voxel_keeps_its_own_best_epoch",
        f"{STUDY}::test_a_fixed_layer_can_be_pooled_freely",
        f"{GNET}::test_one_field_is_averaged_on_large_maps_and_summed_on_small_ones",
    ),
    "NSD-20": (
        "evaluation/prediction.py",
        f"{PREDICTION}::test_unique_images_are_predicted_once_and_equal_trial_by_trial",
        f"{PREDICTION}::test_saved_prediction_comes_back_with_its_ids_and_provenance",
    ),
    "NSD-21": (
        "evaluation/scores.py",
        "evaluation/test_scores.py::test_unit_table_holds_the_metrics",
        f"{INTERVALS}::test_rows_of_a_metric_give_its_scores",
        f"{STUDY}::test_figures_show_means_of_repeats_unless_asked",
        f"{INTERVALS}::test_interval_table_encloses_the_scores_and_averages_sessions",
        "evaluation/test_bootstrap.py::test_weighted_sums_equal_literal_resampling",
    ),
    "NSD-22": (
        "evaluation/bootstrap.py",
        "evaluation/test_bootstrap.py::test_weighted_sums_equal_literal_resampling",
        "evaluation/test_bootstrap.py::test_sessions_that_share_images_share_draws",
        f"{INTERVALS}::test_comparison_is_paired",
        f"{INTERVALS}::test_over_trials_each_model_is_drawn_by_itself",
    ),
    "NSD-23": (
        "analyses/wins.py",
        "analyses/test_wins.py::test_the_better_model_wins_and_a_coin_does_not",
        "figures/test_tuning_panels.py::test_a_difference_counts_units_above_the_threshold",
        "figures/test_tuning_panels.py::test_a_margin_splits_units_above_the_threshold_at_zero",
        "figures/test_tuning_panels.py::test_dots_of_groups_stand_at_differences_and_means",
    ),
    "NSD-24": (
        "analyses/transfer.py",
        f"{TRAINING}::test_a_frozen_trunk_stays_to_the_bit_and_has_no_dropout",
        f"{TRAINING}::test_a_trunk_that_is_read_looks_at_each_image_once",
    ),
    "NSD-25": (
        "analyses/transfer.py",
        f"{TRANSFER}::test_alpha_of_the_stored_matrix",
        f"{TRANSFER}::test_alpha_of_one_sided_and_of_even_matrices",
        f"{TRANSFER}::test_alpha_varies_over_images_as_it_should",
        f"{TRANSFER}::test_an_interval_that_reaches_beyond_both_settles_nothing",
    ),
    "NSD-26": (
        "analyses/layer_tuning.py",
        f"{TUNING}::test_shared_and_unique_of_the_specification",
        f"{TUNING}::test_the_planted_layer_is_the_largest",
        f"{TUNING}::test_spread",
        f"{TUNING}::test_masks_are_each_layer_and_both_maps",
        f"{TUNING}::test_errors_as_published_are_those_of_independent_correlations",
        "figures/test_tuning_panels.py::test_masks_are_strips_over_channels",
        "figures/test_tuning_panels.py::test_shares_of_models_stand_side_by_side",
    ),
    "NSD-27": (
        "simulate/nsd_cortex.py",
        f"{TRANSFER}::test_a_chain_is_told_from_branches_where_trunks_are_perfect",
        f"{TRANSFER}::test_the_noise_model_is_recovered_and_drawn_again",
        f"{TRAINING}::test_networks_are_fitted_anew_to_what_one_predicts",
        "data/test_session.py::test_made_responses_stand_for_recorded_ones",
    ),
    "NSD-28": (
        "analyses/noise_model.py",
        f"{TRANSFER}::test_the_noise_model_of_the_hand_computed_correlations",
        f"{TRANSFER}::test_what_is_no_covariance_is_clipped_and_counted",
        f"{TRANSFER}::test_descent_is_down_the_gradient_and_ends_where_the_closed_form_is",
    ),
    "NSD-29": (
        "analyses/pooling_fields.py",
        "analyses/test_pooling_fields.py::test_the_long_axis_points_where_it_was_planted",
        "analyses/test_pooling_fields.py::test_tilt_is_zero_along_the_radius_and_folds",
        "figures/test_tuning_panels.py::test_fields_are_tiles_of_one_height",
    ),
    "NSD-30": (
        "data/nifti.py",
        "data/test_nifti.py::test_values_lie_where_their_voxels_do_and_nothing_is_nan",
        "data/test_nifti.py::test_volumes_come_back",
        "data/test_nifti.py::test_maps_lie_over_the_volume_they_were_made_for",
        "figures/test_volume_panels.py::test_slices_show_values_where_the_mask_is",
    ),
    "NSD-31": (
        "analyses/saliency.py",
        "analyses/test_saliency.py::test_gradient_is_that_of_finite_differences",
        "analyses/test_saliency.py::test_pixels_give_what_maps_of_the_prefilter_give",
        "figures/test_tuning_panels.py::test_a_gradient_is_blue_where_light_lowers_the_error",
    ),
    "NSD-32": (
        "evaluation/field_ridge.py",
        f"{FIELDS}::test_means_with_counts_are_the_single_trials",
        "data/test_splits.py::test_few_repeats_are_some_of_each_image",
        "figures/test_tuning_panels.py::test_a_scaling_curve_joins_the_means_of_parts",
    ),
    "NSD-33": (
        "studies/nsd_gnet_published.py",
        f"{STUDY}::test_published_tables_are_means_of_the_deposited_ones",
        f"{STUDY}::test_published_asymmetries_are_the_deposited_ones",
        f"{STUDY}::test_where_published_numbers_disagree_both_say_so",
    ),
    "NSD-34": (
        "data/nsd_synthetic.py",
        f"{NSD}::test_the_scan_of_patterns_is_read_like_the_others",
        f"{NSD}::test_without_the_scan_of_patterns_it_is_said",
    ),
    "NSD-35": (
        "studies/nsd_gnet.py",
        f"{STUDY}::test_legacy_is_every_published_choice_at_once",
        f"{NSD}::test_splits_have_the_published_counts_at_full_size",
        "evaluation/test_probes.py::test_the_published_way_holds_out_trials_of_fitted_images",
        f"{INTERVALS}::test_over_trials_each_model_is_drawn_by_itself",
        f"{TRAINING}::test_everything_published_at_once_runs_in_small",
        f"{TRAINING}::test_a_drifting_trunk_is_the_published_one",
    ),
    "NSD-36": (
        "training/checkpoint.py",
        "training/test_checkpoint.py::test_a_checkpoint_holds_only_what_can_be_read_safely",
        "training/test_checkpoint.py::test_unreadable_files_are_named",
        f"{PREDICTION}::test_prediction_of_other_units_or_trials_fails",
    ),
    "NSD-37": (
        "figures/style.py",
        f"{STUDY}::test_every_figure_says_that_the_prefilter_is_random",
    ),
}


def test_every_row_is_in_the_index():
    assert list(ROWS) == [f"NSD-{i:02}" for i in range(1, 38)]


@pytest.mark.parametrize("row", ROWS)
def test_its_code_and_tests_are_there(row):
    file, *nodes = ROWS[row]
    assert (ROOT / "src" / file).is_file()
    assert [node for node in nodes if not is_there(node)] == []
