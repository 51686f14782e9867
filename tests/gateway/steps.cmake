# Tests of the steps identify and admit, and of state and observe.
portcullis_test(steps_test
  SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/admit/account_table_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/admit/admitter_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/admit/budget_keeper_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/admit/gcra_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/admit/penalties_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/admit/queue_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/admit/source_table_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/identify/api_key_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/identify/identifier_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/observe/metrics_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/observe/request_log_test.cc
    ${CMAKE_CURRENT_LIST_DIR}/state/store_test.cc
  LIBS portcullis_admit portcullis_observe boost_compiled
    PkgConfig::SQLITE spdlog::spdlog)

portcullis_fuzzer(api_key THREADS
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/../fuzz/fuzz_api_key.cc
  LIBS portcullis_identify)
portcullis_sanitizer_aware(admit/source_table_test.cc)
