# Raw bytes over real loopback sockets against the connection layer: every wall has its test here.
portcullis_test(transport_test
  SOURCES
    transport/harness.cc
    transport/chunked_test.cc
    transport/connection_table_test.cc
    transport/deadline_test.cc
    transport/head_parser_test.cc
    transport/json_reader_test.cc
    transport/limits_test.cc
    transport/peer_gone_test.cc
    transport/request_walls_test.cc
    transport/response_test.cc
    transport/stop_test.cc
    transport/tls_test.cc
  LIBS portcullis_listen portcullis_errors portcullis_certs OpenSSL::SSL)

foreach(target http_head json_reader chunked_body)
  portcullis_fuzzer(${target}
    SOURCES ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_${target}.cc
    LIBS portcullis_http portcullis_errors)
endforeach()
portcullis_sanitizer_aware(transport/limits_test.cc)
