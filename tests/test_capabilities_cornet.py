"""An index: for each capability of the CORnet study, where it is in src and which tests hold it.

Numbers are the rows of section 2 of its specification.
"""

import pytest

from src.paths import ROOT
from tests.test_defects import is_there

CORNET, FEATURES = "models/test_cornet.py", "models/test_cornet_features.py"
TRAINING, COMMAND = "training/test_recognition.py", "test_cornet_command.py"
LIKENESS = "evaluation/test_likeness.py"
ROWS = {  # row: file of src, then tests
    "CN-01": (
        "models/cornet.py",
        f"{CORNET}::test_states_and_logits_are_those_of_the_published_code",
        f"{CORNET}::test_areas_have_the_published_numbers_of_weights",
        f"{CORNET}::test_weights_start_as_published_from_the_generator_alone",
    ),
    "CN-02": (
        "models/cornet.py",
        f"{CORNET}::test_states_and_logits_are_those_of_the_published_code",
        f"{CORNET}::test_steps_of_r_are_those_of_the_published_code",
    ),
    "CN-03": (
        "models/cornet.py",
        f"{CORNET}::test_unrolling_is_that_of_the_rules",
        f"{CORNET}::test_r_and_rt_share_v1_and_the_first_step",
        f"{CORNET}::test_the_image_climbs_at_once_in_r_and_one_area_a_step_in_rt",
        f"{CORNET}::test_logits_know_the_image_once_it_has_reached_it",
    ),
    "CN-04": (
        "models/cornet.py",
        f"{CORNET}::test_states_and_logits_are_those_of_the_published_code",
        f"{CORNET}::test_areas_have_the_published_numbers_of_weights",
    ),
    "CN-05": (
        "models/cornet.py",
        f"{CORNET}::test_gradients_are_those_of_the_published_code",
    ),
    "CN-06": (
        "models/cornet.py",
        f"{CORNET}::test_states_and_logits_are_those_of_the_published_code",
        f"{FEATURES}::test_layers_are_areas_at_their_steps",
    ),
    "CN-07": (
        "models/cornet.py",
        f"{CORNET}::test_steps_of_r_are_those_of_the_published_code",
        f"{COMMAND}::test_steps_are_as_many_as_asked_for",
        f"{TRAINING}::test_a_network_is_trained_over_the_steps_asked_for",
    ),
    "CN-08": (
        "models/pretrained.py",
        f"{FEATURES}::test_a_published_file_is_loaded_whole_or_plain",
        f"{FEATURES}::test_checkpoints_that_do_not_fit_are_refused_by_name",
        f"{COMMAND}::test_a_published_name_promises_a_hash",
        f"{COMMAND}::test_weights_that_do_not_fit_are_refused",
    ),
    "CN-09": (
        "models/picture_features.py",
        f"{FEATURES}::test_features_of_a_folder_are_those_of_its_pictures_one_by_one",
        f"{FEATURES}::test_one_step_another_size_and_the_middle_of_pictures",
    ),
    "CN-10": (
        "training/recognition.py",
        f"{TRAINING}::test_a_killed_run_goes_on_bit_by_bit",
        f"{TRAINING}::test_steps_are_sgd_with_the_published_schedule",
        f"{TRAINING}::test_two_processes_train_as_one",
    ),
    "CN-11": (
        "training/recognition.py",
        f"{TRAINING}::test_hits_are_counted_as_by_sorting",
        f"{TRAINING}::test_the_log_and_the_history_hold_what_validation_gives",
    ),
    "CN-12": ("models/cornet.py", f"{CORNET}::test_other_sizes_are_taken"),
    "CN-13": (
        "models/cornet.py",
        f"{CORNET}::test_a_network_can_be_exported",
        f"{CORNET}::test_an_interrupted_pass_leaves_nothing_behind",
        f"{CORNET}::test_a_network_compiles",
        f"{CORNET}::test_half_precision_stays_what_it_is",
    ),
    "CN-14": (
        "cornet.py",
        f"{COMMAND}::test_features_have_names_steps_and_the_step_in_their_own_name",
        f"{COMMAND}::test_own_weights_are_loaded_whatever_their_classes",
    ),
    "CN-15": (
        "models/picture_features.py",
        f"{FEATURES}::test_steps_without_an_image_are_warned_of_once",
        f"{FEATURES}::test_steps_before_the_image_are_refused_before_a_pass",
    ),
    "CN-16": (
        "cornet.py",
        f"{COMMAND}::test_a_model_that_is_the_data_scores_near_one",
        f"{COMMAND}::test_a_recording_of_ones_own_is_scored",
        f"{COMMAND}::test_choices_are_scored_from_their_table",
    ),
    "CN-17": ("evaluation/likeness.py", f"{LIKENESS}::test_toy_assembly_scores_itself"),
    "BS-01": (
        "data/assemblies.py",
        "data/test_assemblies.py::test_means_are_those_of_brain_score",
        "data/test_assembly_files.py::test_netcdf",
    ),
    "BS-02": ("evaluation/folds.py", "evaluation/test_folds.py::test_published_splits"),
    "BS-03": (
        "evaluation/mapping.py",
        f"{LIKENESS}::test_mappings_are_brain_scores",
        f"{LIKENESS}::test_ridgecv_split_is_scikit_learns",
        f"{LIKENESS}::test_planted_copies_are_found_one_to_one",
        "evaluation/test_mapping.py::test_predictions_are_scikit_learns",
        "evaluation/test_mask_regression.py::test_planted_masks_are_found_and_predict_what_ridge_cannot",
    ),
    "BS-04": (
        "evaluation/repetition_ceiling.py",
        "evaluation/test_repetition_ceiling.py::test_stored_ceiling",
        "evaluation/test_repetition_ceiling.py::test_missing_repetitions_are_averaged_over",
    ),
    "BS-05": (
        "evaluation/geometry.py",
        f"{LIKENESS}::test_geometry_is_brain_scores",
        "evaluation/test_geometry.py::test_splits_are_brain_scores",
        "evaluation/test_geometry.py::test_ceilings_of_subjects_by_brute_force",
    ),
    "BS-06": (
        "evaluation/similarity.py",
        f"{LIKENESS}::test_geometry_is_brain_scores",
        "evaluation/test_similarity.py::test_unbiased_hsic_is_the_sum_over_different_images",
        "evaluation/test_similarity.py::test_only_the_unbiased_cka_of_unrelated_features_is_low",
    ),
    "BS-07": (
        "evaluation/choice_consistency.py",
        "evaluation/test_choice_consistency.py::test_stored_outputs",
        "evaluation/test_choice_consistency.py::test_definition_by_brute_force",
        "simulate/test_ventral_failures.py::test_a_cell_and_an_image_in_one_half_only",
    ),
    "BS-08": (
        "evaluation/layer_choice.py",
        "evaluation/test_layer_choice.py::test_the_planted_layer_is_chosen",
        "evaluation/test_layer_choice.py::test_test_images_have_no_say",
    ),
    "BS-09": (
        "data/screen.py",
        "data/test_screen.py::test_a_larger_field_is_gray_around_the_picture",
        "data/test_screen.py::test_a_smaller_field_is_the_middle",
        f"{COMMAND}::test_a_picture_is_placed_and_looked_at_from_more_than_one_place",
    ),
    "BS-10": (
        "data/screen.py",
        "data/test_screen.py::test_looks_are_spread_over_the_disc",
        "data/test_screen.py::test_a_shift_is_bilinear_and_repeats_the_border",
    ),
    "BS-11": (
        "evaluation/time_bins.py",
        "evaluation/test_time_bins.py::test_overlap_weights",
        "evaluation/test_time_bins.py::test_bins_are_samples_of_one_fit",
        f"{COMMAND}::test_every_bin_is_a_row",
    ),
    "BS-12": (
        "evaluation/solution_times.py",
        "evaluation/test_solution_times.py::test_known_times_are_found",
        "evaluation/test_solution_times.py::test_what_is_never_solved_has_no_score",
    ),
    "BS-13": (
        "evaluation/likeness.py",
        f"{LIKENESS}::test_reverse_predictivity_is_the_swap",
        f"{LIKENESS}::test_planted_copies_are_found_one_to_one",
    ),
    "BS-14": (
        "evaluation/resampling.py",
        "evaluation/test_resampling.py::test_intervals_cover_the_truth",
        "evaluation/test_resampling.py::test_two_models_share_their_draws",
        f"{COMMAND}::test_models_are_compared_in_pairs",
    ),
    "BS-15": (
        "evaluation/normalization.py",
        "evaluation/test_normalization.py::test_worked_example",
        f"{COMMAND}::test_a_formula_is_chosen_by_name",
    ),
    "BS-16": (
        "evaluation/memory.py",
        "evaluation/test_memory.py::test_the_estimate_is_within_a_fifth",
        "evaluation/test_gram.py::test_of_a_mapped_file",
    ),
    "BS-17": (
        "evaluation/likeness.py",
        f"{LIKENESS}::test_voxels_of_a_region_with_the_ceiling_of_their_snr",
        "simulate/test_ventral.py::test_voxels_have_their_ncsnr",
    ),
    "BS-18": (
        "evaluation/score_record.py",
        "evaluation/test_score_record.py::test_a_row_states_all_that_is_specified",
        "evaluation/test_score_record.py::test_files",
    ),
}


def test_every_row_is_in_the_index():
    wanted = [f"CN-{i:02}" for i in range(1, 18)] + [f"BS-{i:02}" for i in range(1, 19)]
    assert list(ROWS) == wanted


@pytest.mark.parametrize("row", ROWS)
def test_its_code_and_tests_are_there(row):
    file, *nodes = ROWS[row]
    assert (ROOT / "src" / file).is_file()
    assert [node for node in nodes if not is_there(node)] == []
