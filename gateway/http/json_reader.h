// Reads one JSON text (RFC 8259) from a peer with limits: size, depth, no duplicate keys, valid
// UTF-8, finite numbers, nothing after the value. Duplicate keys are refused because two readers
// of the same call (policy and engine) must never see different values.
// Threading: reentrant. Failure: kBadRequest with the byte offset, or kTooLarge; never throws.
// Boost.JSON is the grammar; the duplicate-key wall is ours. Fuzzed by fuzz_json_reader.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <string_view>

#include "gateway/error.h"

namespace portcullis::gateway::http {

struct JsonLimits {
  size_t bytes = 1 << 20;
  size_t depth = 64;  // nested arrays and objects
};

Result<boost::json::value> ReadJson(std::string_view text, const JsonLimits& limits = {});

}  // namespace portcullis::gateway::http
