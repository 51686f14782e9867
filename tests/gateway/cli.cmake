# Of the command line: what talks to strangers, and what it prints for programs.
portcullis_test(answer_test
  SOURCES cli/answer_test.cc ${PROJECT_SOURCE_DIR}/gateway/cli/answer.cc
  LIBS boost_compiled)
portcullis_test(witness_http_test
  SOURCES cli/witness_http_test.cc ${PROJECT_SOURCE_DIR}/gateway/cli/witness_http.cc
  LIBS portcullis_audit portcullis_certs boost_compiled)
