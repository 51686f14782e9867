// JSON out, for the few facts that this island reports: metadata of its own records, status, reports.
// One flat object at a time; strings are escaped (RFC 8259, section 7). Parsing JSON is not done here.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace portcullis::audit {

std::string JsonQuoted(std::string_view text);

class JsonObject {
 public:
  void Add(std::string_view name, std::string_view value) { AddRaw(name, JsonQuoted(value)); }
  void Add(std::string_view name, const char* value) { Add(name, std::string_view(value)); }
  void Add(std::string_view name, bool value) { AddRaw(name, value ? "true" : "false"); }
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  void Add(std::string_view name, T value) {
    AddRaw(name, std::to_string(value));
  }
  void AddNull(std::string_view name) { AddRaw(name, "null"); }
  // JSON already.
  void AddRaw(std::string_view name, std::string_view json) {
    body_ += (body_.empty() ? "" : ",") + JsonQuoted(name) + ":" + std::string(json);
  }
  std::string Text() const { return "{" + body_ + "}"; }

 private:
  std::string body_;
};

}  // namespace portcullis::audit
