"""Known defects of published code, and the tests that would show them in ours: nsd_gnet."""

DEFECTS = {
    "D1 fails on current Python; a last batch that is short": (
        "test_environment.py::test_every_import_is_declared",
        "training/test_squares.py::test_every_batch_of_every_session_has_its_turn",
    ),
    "D2 functions that libraries have removed": (
        "test_graph.py::test_the_real_notebooks_warn_of_nothing",
        "test_environment.py::test_this_environment_holds_the_pinned_versions",
    ),
    "D3 checkpoints that run code when they are read, savers that hide their errors": (
        "training/test_checkpoint.py::test_a_checkpoint_holds_only_what_can_be_read_safely",
        "training/test_checkpoint.py::test_unreadable_files_are_named",
        "test_house.py::test_the_sources_keep_from",
    ),
    "D4 cells that stop on purpose, paths of a laboratory, imports that do things": (
        "test_notebooks.py::test_a_notebook_names_no_place",
        "test_notebooks.py::test_papermill_runs_a_notebook_as_people_expect",
        "test_house.py::test_imports_have_no_side_effects",
    ),
    "D5 inputs that no cell writes": (
        "test_graph.py::test_a_manifest_says_what_was_used_and_made",
        "simulate/test_nsd.py::test_responses_are_scored_within_each_scan_session",
    ),
    "D6 the distributed files cannot be read, whole volumes are": (
        "simulate/test_nsd.py::test_both_formats_give_the_same_voxels",
        "simulate/test_nsd.py::test_only_voxels_of_areas_are_read",
        "data/test_nifti.py::test_some_voxels_of_a_series",
    ),
    "D7 random numbers from the clock; a best state that is never kept": (
        "test_house.py::test_the_sources_keep_from",
        "training/test_squares.py::test_the_start_counts_or_does_not",
        "training/test_gnet_training.py::test_one_trunk_for_all_areas_and_subjects",
    ),
    "D8 statistics that move while a readout is built": (
        "test_nsd_defects.py::test_building_a_model_moves_no_statistics",
    ),
    "D9 gradients of what is frozen; eighty thousand predictions an epoch": (
        "test_nsd_defects.py::test_what_is_frozen_gets_no_gradient",
        "test_nsd_defects.py::test_validation_looks_at_validation_trials_without_gradients",
        "models/test_gnet.py::test_stored_maps_of_the_prefilter_in_half_precision_do",
    ),
    "D10 sizes that depend on the version of NumPy": (
        "evaluation/test_field_ridge.py::test_grids_have_the_published_candidates",
    ),
    "D11 a prediction that overwrites what was fitted": (
        "evaluation/test_field_ridge.py::test_predicting_twice_is_the_same_and_blocks_do_not_matter",
    ),
    "D12 a frozen trunk with dropout, whose statistics drift": (
        "training/test_gnet_training.py::test_a_frozen_trunk_stays_to_the_bit_and_has_no_dropout",
    ),
    "D13 a grid of one point in the corner; a wrong number of weights": (
        "evaluation/test_field_ridge.py::test_a_grid_of_one_point_is_the_middle",
        "test_nsd_study.py::test_models_have_the_published_number_of_weights",
    ),
    "D14 analyses of different runs, whose inputs have different means": (
        "training/test_trainer.py::test_other_initial_weights_are_other_inputs",
        "test_nsd_study.py::test_plans_are_one_trunk_for_all_and_one_an_area",
    ),
    "D15 test images in the choice of channels, held-out ones in the z-score": (
        "test_nsd_defects.py::test_only_training_images_choose_channels_and_scale_features",
        "evaluation/test_field_ridge.py::test_the_default_is_scikit_learns_ridge_on_standardized_features",
    ),
    "D16 stopping by images that were trained on": (
        "simulate/test_nsd.py::test_splits_share_no_image_or_as_published",
        "simulate/test_nsd.py::test_splits_have_the_published_counts_at_full_size",
    ),
    "D17 batches of trials in a row": (
        "training/test_squares.py::test_contiguous_batches_keep_the_order_shown",
        "training/test_squares.py::test_every_batch_of_every_session_has_its_turn",
    ),
    "D18 a part larger than the whole gives all of it": (
        "data/test_splits.py::test_more_images_than_there_are_is_an_error",
    ),
    "D19 a ridge that penalizes its constant and inverts nine times": (
        "evaluation/test_field_ridge.py::test_the_default_is_scikit_learns_ridge_on_standardized_features",
        "evaluation/test_field_ridge.py::test_means_with_counts_are_the_single_trials",
        "evaluation/test_field_ridge.py::test_errors_and_weights_of_either_matrix",
    ),
    "D20 a noise ceiling that is loaded and not used": (
        "analyses/test_layer_tuning.py::test_the_noise_ceiling_of_the_specification",
        "analyses/test_layer_tuning.py::test_the_ceiling_is_what_the_signal_itself_reaches",
    ),
    "D21 intervals over trials, unpaired; errors that lack a term": (
        "evaluation/test_intervals.py::test_comparison_is_paired",
        "analyses/test_transfer.py::test_alpha_varies_over_units_as_it_should",
        "analyses/test_wins.py::test_the_better_model_wins_and_a_coin_does_not",
    ),
    "D22 fitted without a nonlinearity, predicted with one": (
        "evaluation/test_field_ridge.py::test_weights_and_predictions_are_those_stored",
    ),
    "D23 a mask by another's name; volumes without a place; growth around the edge": (
        "simulate/test_nsd.py::test_masks_of_areas",
        "simulate/test_nsd.py::test_inflating_fills_gaps_and_not_edges",
        "data/test_nifti.py::test_values_lie_where_their_voxels_do_and_nothing_is_nan",
    ),
    "D24 orientations in the order of sorted filters": (
        "models/test_gabor.py::test_gratings_are_strongest_in_their_own_channel",
    ),
    "D25 predictions of some voxels beside data of others; a noise model that never ran": (
        "evaluation/test_prediction.py::test_permuted_rows_and_columns_score_identically",
        "analyses/test_transfer.py::test_the_noise_model_is_recovered_and_drawn_again",
    ),
}
