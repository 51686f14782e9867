# The scheduler: on models that compute hashes, and the same texts on real ones.
portcullis_test(inference_schedule_test
  SOURCES
    fairness_test.cc
    model_helpers.cc
    paged_model.cc
    prefix_cache_test.cc
    random_load_test.cc
    same_text_test.cc
    schedule_helpers.cc
    scheduler_test.cc
    serve_helpers.cc
    speculation_test.cc
  LIBS portcullis_inference)
set_tests_properties(inference_schedule_test PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=passive)
