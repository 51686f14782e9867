portcullis_test(walk_test
  SOURCES record/audit_client_test.cc walk/caller_tally_test.cc walk/chat_answer_test.cc walk/chat_request_test.cc walk/config_test.cc walk/decider_test.cc walk/embedding_answer_test.cc walk/policy_keeper_test.cc
          walk/prompt_scan_test.cc walk/route_test.cc walk/sse_reader_test.cc walk/text_request_test.cc
  LIBS portcullis_gateway PkgConfig::SODIUM)
target_include_directories(walk_test PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
portcullis_fuzzer(chat_request SOURCES ../fuzz/fuzz_chat_request.cc LIBS portcullis_gateway)
portcullis_fuzzer(engine_stream SOURCES ../fuzz/fuzz_engine_stream.cc LIBS portcullis_gateway)
