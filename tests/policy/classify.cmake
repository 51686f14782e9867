# Tests, fuzz target and benchmark of policy/classify and policy/treat.
pkg_check_modules(CLASSIFY_ICU REQUIRED IMPORTED_TARGET icu-uc)

portcullis_test(classify_test ONE_THREAD
  SOURCES
    classify/checksum_test.cc
    classify/detector_test.cc
    classify/national_test.cc
    classify/normalize_test.cc
    classify/prose_test.cc
    classify/redact_test.cc
    classify/secret_test.cc
    classify/stream_test.cc
  LIBS portcullis_classify PkgConfig::CLASSIFY_ICU)

portcullis_fuzzer(classify SOURCES ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_classify.cc
  LIBS portcullis_classify)

portcullis_program(classify_bench SOURCES ${PROJECT_SOURCE_DIR}/tests/bench/classify_bench.cc
  LIBS portcullis_classify)
set_target_properties(classify_bench PROPERTIES EXCLUDE_FROM_ALL ON)
pkg_check_modules(HYPERSCAN IMPORTED_TARGET libhs)
if(HYPERSCAN_FOUND)
  target_compile_definitions(classify_bench PRIVATE PORTCULLIS_HYPERSCAN)
  target_link_libraries(classify_bench PRIVATE PkgConfig::HYPERSCAN)
endif()
