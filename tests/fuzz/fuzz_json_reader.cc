// The JSON reader on arbitrary bytes. What it accepts, it accepts again once serialised.
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <cstdlib>

#include "gateway/http/json_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto value = portcullis::gateway::http::ReadJson(bytes);
  if (!value) return 0;
  const std::string text = boost::json::serialize(value.value());
  portcullis::gateway::http::JsonLimits wide;
  wide.bytes = text.size();
  if (!portcullis::gateway::http::ReadJson(text, wide)) std::abort();
  return 0;
}
