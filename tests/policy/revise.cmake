# Tests of revisions and of the shipped policy sets.
portcullis_test(policy_revise_test ONE_THREAD
  SOURCES revise_check_test.cc revise_compare_test.cc revise_damage_test.cc revise_diff_random_test.cc
    revise_diff_test.cc revise_statement_test.cc revise_store_test.cc revise_support.cc sets/sets_test.cc
  LIBS portcullis_revise PkgConfig::SQLITE PkgConfig::SODIUM TIMEOUT 600)

portcullis_fuzzer(revision_bytes
  SOURCES ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_revision_bytes.cc LIBS portcullis_revise)
portcullis_fuzzer(decision_facts
  SOURCES ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_decision_facts.cc LIBS portcullis_revise)
