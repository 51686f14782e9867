# Of the command line: what talks to strangers.
portcullis_test(witness_http_test
  SOURCES cli/witness_http_test.cc ${PROJECT_SOURCE_DIR}/gateway/cli/witness_http.cc
  LIBS portcullis_audit portcullis_certs boost_compiled)
