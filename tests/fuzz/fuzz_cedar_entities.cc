// Entities in JSON: must load or be refused; what loads closes and prints as JSON that loads again.
#include <cstdint>
#include <string_view>

#include "policy/cedar/cedar.h"
#include "policy/cedar/value_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace cedar = portcullis::policy::cedar;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto entities = cedar::Entities::ParseJson(text);
  if (!entities) return 0;
  if (!entities.value().closed()) __builtin_trap();
  entities.value().ForEach([](const cedar::Entities::Stored& stored) {
    const auto json = cedar::ParseJson(cedar::ToJson(stored.self), "again");
    if (!json) __builtin_trap();
    const auto again = cedar::ValueFromJson(json.value(), nullptr, "again");
    if (!again || again.value() != stored.self) __builtin_trap();
  });
  return 0;
}
