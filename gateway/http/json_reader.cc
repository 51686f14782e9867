// Boost.JSON's incremental parser with a handler of our own: it builds the value and keeps the
// keys of every open object, which are sorted and compared when the object closes. Cost: O(n log n)
// in the keys of one object, so a body of nothing but keys stays in milliseconds.
#include "gateway/http/json_reader.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <cmath>
#include <string>
#include <vector>

namespace portcullis::gateway::http {
namespace {

namespace json = boost::json;
using Ec = json::error_code;

// The handler concept of boost::json::basic_parser; its member names are Boost's.
class Builder {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  bool on_document_begin(Ec&) {
    stack_.reset();
    return true;
  }
  bool on_document_end(Ec&) { return true; }
  bool on_object_begin(Ec&) {
    open_.push_back(keys_.size());
    return true;
  }
  bool on_object_end(std::size_t n, Ec& ec) {
    const auto first = keys_.begin() + static_cast<std::ptrdiff_t>(open_.back());
    std::sort(first, keys_.end());
    if (std::adjacent_find(first, keys_.end()) != keys_.end()) {
      return Refuse("an object holds the same key twice", ec);
    }
    keys_.erase(first, keys_.end());
    open_.pop_back();
    stack_.push_object(n);
    return true;
  }
  bool on_array_begin(Ec&) { return true; }
  bool on_array_end(std::size_t n, Ec&) {
    stack_.push_array(n);
    return true;
  }
  bool on_key_part(json::string_view s, std::size_t, Ec&) {
    part_.append(s.data(), s.size());
    stack_.push_chars(s);
    return true;
  }
  bool on_key(json::string_view s, std::size_t, Ec&) {
    part_.append(s.data(), s.size());
    keys_.push_back(std::move(part_));
    part_.clear();
    stack_.push_key(s);
    return true;
  }
  bool on_string_part(json::string_view s, std::size_t, Ec&) {
    stack_.push_chars(s);
    return true;
  }
  bool on_string(json::string_view s, std::size_t, Ec&) {
    stack_.push_string(s);
    return true;
  }
  bool on_number_part(json::string_view, Ec&) { return true; }
  bool on_int64(std::int64_t i, json::string_view, Ec&) {
    stack_.push_int64(i);
    return true;
  }
  bool on_uint64(std::uint64_t u, json::string_view, Ec&) {
    stack_.push_uint64(u);
    return true;
  }
  bool on_double(double d, json::string_view, Ec& ec) {
    if (!std::isfinite(d)) return Refuse("a number is out of range", ec);
    stack_.push_double(d);
    return true;
  }
  bool on_bool(bool b, Ec&) {
    stack_.push_bool(b);
    return true;
  }
  bool on_null(Ec&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, Ec&) { return true; }
  bool on_comment(json::string_view, Ec&) { return true; }

  json::value Release() { return stack_.release(); }
  const std::string& refusal() const { return refusal_; }

 private:
  bool Refuse(const char* why, Ec& ec) {
    refusal_ = why;
    ec = make_error_code(json::error::syntax);
    return false;
  }

  json::value_stack stack_;
  std::string part_;
  std::vector<std::string> keys_;
  std::vector<std::size_t> open_;  // where in keys_ each open object begins
  std::string refusal_;
};

std::string Explain(const Ec& ec, const std::string& refusal) {
  if (!refusal.empty()) return refusal;
  if (ec == json::error::too_deep) return "nested too deeply";
  if (ec == json::error::incomplete) return "the text ends too early";
  if (ec == json::error::extra_data) return "text after the end of the value";
  if (ec == json::error::exponent_overflow) return "a number is out of range";
  if (ec == json::error::illegal_leading_surrogate ||
      ec == json::error::illegal_trailing_surrogate ||
      ec == json::error::expected_utf16_escape) {
    return "a \\u escape is half of a surrogate pair";
  }
  return ec.message();
}

}  // namespace

Result<json::value> ReadJson(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    return Error{Code::kTooLarge, "JSON exceeds " + std::to_string(limits.bytes) + " bytes"};
  }
  try {
    json::parse_options options;
    options.max_depth = limits.depth;
    json::basic_parser<Builder> parser(options);
    Ec ec;
    const std::size_t used = parser.write_some(false, text.data(), text.size(), ec);
    if (!ec && used < text.size()) ec = make_error_code(json::error::extra_data);
    if (ec) {
      return Error{Code::kBadRequest, "invalid JSON at byte " + std::to_string(used) + ": " +
                                          Explain(ec, parser.handler().refusal())};
    }
    return parser.handler().Release();
  } catch (const std::exception&) {
    return Error{Code::kBadRequest, "invalid JSON: too large to hold"};
  }
}

}  // namespace portcullis::gateway::http
