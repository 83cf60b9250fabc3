"""Known defects of published code, and the tests that would show them in ours: macaque_it."""

DEFECTS = {
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
    "D5 images normalized twice": (
        "models/test_networks.py::test_images_are_prepared_once",
        "data/test_inferotemporal.py::test_a_bad_picture_stops_packing_and_leaves_nothing",
        "simulate/test_inferotemporal_failures.py::test_a_planted_failure_is_one_finding",
    ),
    "D6 normalized pixels divided by 255, a class number as one more feature": (
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
        "evaluation/test_linear_scores.py::test_in_sample_scores_are_labeled",
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
