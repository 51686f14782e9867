// JSON Schemas of callers: whatever the bytes, compiling ends, in bounds; and what was compiled can
// be walked.
#include <boost/json/parse.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "inference/sample/grammar/matcher.h"
#include "inference/sample/grammar/schema.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portcullis::inference::grammar;
  if (size > 20'000) return 0;
  boost::json::error_code error;
  boost::json::parse_options options;
  options.max_depth = 64;
  const boost::json::value schema =
      boost::json::parse(std::string_view(reinterpret_cast<const char*>(data), size), error, {}, options);
  if (error) return 0;
  Grammar grammar;
  int64_t effort = kSchemaEffort;
  const auto root = CompileSchema(grammar, schema, Grammar::kReturn, effort);
  if (!root) return 0;
  grammar.set_root(root.value());
  if (!grammar.Finish()) return 0;
  Matcher matcher(grammar);
  SetId set = matcher.Start();
  for (size_t i = 0; i < 64 && set != kDead; ++i) {
    SetId next = kDead;
    for (unsigned byte = 0; byte < 256 && next == kDead; ++byte) {
      next = matcher.Step(set, static_cast<uint8_t>((byte * 37 + i * 11) & 255));
    }
    set = next;
  }
  return 0;
}
