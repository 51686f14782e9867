# The serving half of the engine: tokenizers, sampling, scheduling, the server on its socket.
portcullis_test(inference_serve_test
  SOURCES
    answer_test.cc
    call_test.cc
    caller_test.cc
    distinct_items_test.cc
    generate_test.cc
    grammar_bounds_test.cc
    grammar_reference_test.cc
    grammar_test.cc
    grammar_text_test.cc
    jinja_test.cc
    preparing_test.cc
    pretokenize_test.cc
    sampler_test.cc
    sandbox_test.cc
    serve_helpers.cc
    server_test.cc
    template_test.cc
    tokenizer_test.cc
    tool_parser_test.cc
  LIBS portcullis_serve)

portcullis_test(inference_memory_test ONE_THREAD SOURCES memory_test.cc model_helpers.cc LIBS portcullis_inference)
set_tests_properties(inference_memory_test PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=passive)

foreach(name json_schema chat_template)
  portcullis_fuzzer(${name} SOURCES ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_${name}.cc LIBS portcullis_inference)
endforeach()
portcullis_fuzzer(tokenizer_json
  SOURCES ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_tokenizer_json.cc
  LIBS portcullis_inference)

portcullis_program(inference_oracle_helper
  SOURCES
    ${CMAKE_CURRENT_SOURCE_DIR}/oracle/helper.cc
    ${CMAKE_CURRENT_SOURCE_DIR}/oracle/vocabulary_file.cc
  LIBS portcullis_inference)

portcullis_program(sampler_bench SOURCES ${PROJECT_SOURCE_DIR}/tests/bench/sampler_bench.cc LIBS portcullis_inference)
set_target_properties(sampler_bench PROPERTIES EXCLUDE_FROM_ALL ON)
