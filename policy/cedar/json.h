// A strict JSON reader on Boost.JSON's parser: refuses duplicate keys, keeps order, bounds depth
// and size, and says line and column. Integers beyond 64 bits and fractions are kept apart as
// kOther, for Cedar has no such numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/error.h"

namespace portcullis::policy::cedar {

inline constexpr size_t kMaxJsonDepth = 512;
inline constexpr size_t kMaxJsonText = 256u << 20;  // bytes

struct JsonMember;

struct Json {
  enum class Kind : uint8_t { kNull, kBool, kInteger, kOtherNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  bool boolean = false;
  int64_t integer = 0;
  std::string string;
  std::vector<Json> items;
  std::vector<JsonMember> members;

  bool IsObject() const { return kind == Kind::kObject; }
  bool IsArray() const { return kind == Kind::kArray; }
  bool IsString() const { return kind == Kind::kString; }
  const Json* Find(std::string_view key) const;  // nullptr when absent or not an object
  bool operator==(const Json& other) const;      // members in the same order
};

struct JsonMember {
  std::string name;
  Json value;

  bool operator==(const JsonMember& other) const = default;
};

Result<Json> ParseJson(std::string_view text, std::string_view file_name);
// A string with its quotes, as JSON.
std::string JsonQuoted(std::string_view text);

}  // namespace portcullis::policy::cedar
