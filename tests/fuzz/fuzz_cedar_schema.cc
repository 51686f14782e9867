// Schemas in either syntax: must load or be refused; what loads writes both syntaxes, and each of
// them reads as the same again.
#include <cstdint>
#include <string_view>

#include "policy/cedar/schema.h"
#include "policy/cedar/schema_json.h"
#include "policy/cedar/schema_write.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace cedar = portcullis::policy::cedar;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto schema = cedar::Schema::ParseAny(text, "fuzz");
  if (!schema) return schema.error().message.empty() ? 1 : 0;
  const auto written = cedar::ReadSchemaText(text, "fuzz");
  if (!written) return 0;  // it was JSON
  const std::string json = cedar::SchemaJson(written.value());
  const auto from_json = cedar::Schema::ParseAny(json, "json");
  if (!from_json && from_json.error().code != portcullis::policy::Code::kTooDeep) __builtin_trap();
  const auto syntax = cedar::SchemaText(written.value());
  if (!syntax) return 0;
  const auto again = cedar::ReadSchemaText(syntax.value(), "again");
  if (!again || cedar::SchemaJson(again.value()) != json) __builtin_trap();
  return 0;
}
