"""Known defects of published code, and the tests that would show them in ours: cornet."""

DEFECTS = {
    "C1 the step exported is the same for all images, or the first of several": (
        "models/test_cornet_features.py::test_steps_without_an_image_are_warned_of_once",
        "models/test_cornet_features.py::test_features_of_a_folder_are_those_of_its_pictures_one_by_one",
        "test_cornet_command.py::test_features_have_names_steps_and_the_step_in_their_own_name",
    ),
    "C2 the number of steps is ignored for RT": (
        "test_cornet_command.py::test_steps_are_as_many_as_asked_for",
        "models/test_cornet.py::test_logits_know_the_image_once_it_has_reached_it",
        "training/test_recognition.py::test_a_network_is_trained_over_the_steps_asked_for",
    ),
    "C3 published weights only, one picture at a time, no names, no step in the file's name": (
        "test_cornet_command.py::test_own_weights_are_loaded_whatever_their_classes",
        "test_cornet_command.py::test_features_have_names_steps_and_the_step_in_their_own_name",
        "models/test_cornet_features.py::test_features_of_a_folder_are_those_of_its_pictures_one_by_one",
    ),
    "C4 a restarted run runs all its epochs again": (
        "training/test_recognition.py::test_a_killed_run_goes_on_bit_by_bit",
        "training/test_recognition.py::test_a_finished_run_is_kept_and_another_is_not",
    ),
    "C5 the log is written anew at every step": (
        "training/test_recognition.py::test_what_the_log_holds_is_not_written_again",
    ),
    "C6 all training pictures are read once more for a last validation": (
        "training/test_recognition.py::test_no_picture_is_read_after_the_last_validation",
    ),
    "C7 a learning rate in the log that no optimizer had": (
        "training/test_recognition.py::test_the_rate_in_the_log_is_the_optimizers",
        "training/test_recognition.py::test_the_rate_falls_by_ten_as_published",
    ),
    "C8 arguments read and seeds set on import": (
        "test_cornet_command.py::test_an_import_reads_no_arguments",
        "test_house.py::test_imports_have_no_side_effects",
        "test_seeds.py::test_global_generators_are_left_alone",
    ),
    "C9 a tool is asked which GPU to take": (
        "training/test_device.py::test_no_other_program_is_asked",
        "test_house.py::test_the_sources_keep_from",
    ),
    "C10 a stride changed on the way through the network": (
        "models/test_cornet.py::test_a_network_can_be_exported",
        "models/test_cornet.py::test_an_interrupted_pass_leaves_nothing_behind",
    ),
    "C11 sizes and the type of zeros are fixed": (
        "models/test_cornet.py::test_other_sizes_are_taken",
        "models/test_cornet.py::test_half_precision_stays_what_it_is",
    ),
    "C12 names of weights that begin with module.": (
        "models/test_cornet_features.py::test_a_published_file_is_loaded_whole_or_plain",
        "training/test_recognition.py::test_two_processes_train_as_one",
    ),
    "C13 a folder of validation pictures that is called otherwise": (
        "training/test_recognition.py::test_folders_are_named_as_they_come",
    ),
    "C14 features that make no sense": (
        "test_cornet_command.py::test_a_published_name_promises_a_hash",
        "evaluation/test_sanity.py::test_features_of_pictures_know_what_pictures_are_like",
        "evaluation/test_sanity.py::test_features_of_other_pictures_do_not",
    ),
    "C15 scores without data, part, layer": (
        "evaluation/test_score_record.py::test_a_row_states_all_that_is_specified",
        "evaluation/test_score_record.py::test_an_id_tells_what_a_score_depends_on",
    ),
    "C16 PCA that overflows; a first example that does not run": (
        "evaluation/test_components.py::test_leading_components_are_those_of_scikit_learn",
        "evaluation/test_gram.py::test_of_a_mapped_file",
        "test_graph.py::test_the_real_notebooks_warn_of_nothing",
    ),
    "C17 out of memory after hours": (
        "evaluation/test_memory.py::test_the_estimate_is_within_a_fifth",
        "models/test_extraction.py::test_one_pass_a_batch_serves_all_layers_and_a_rerun_needs_none",
    ),
    "C18 old Python, numpy and scikit-learn; xarray, TensorFlow": (
        "test_environment.py::test_every_import_is_declared",
        "test_cornet_study.py::test_none_of_the_old_pins_is_needed",
        "data/test_assemblies.py::test_an_xarray_is_read_by_its_coordinates",
    ),
    "C19 results of yesterday's features": (
        "models/test_extraction.py::test_other_inputs_are_extracted_anew",
        "training/test_recognition.py::test_changed_pixels_are_another_folder",
        "evaluation/test_score_record.py::test_an_id_tells_what_a_score_depends_on",
    ),
    "C20 three formulas under one name; negative scores squared": (
        "evaluation/test_normalization.py::test_worked_example",
        "evaluation/test_normalization.py::test_a_negative_correlation_stays_negative",
        "test_cornet_command.py::test_a_formula_is_chosen_by_name",
    ),
    "C21 private data, credentials, gigabytes to download": (
        "test_cornet_study.py::test_nothing_is_fetched",
        "test_cornet_command.py::test_a_recording_of_ones_own_is_scored",
    ),
}
