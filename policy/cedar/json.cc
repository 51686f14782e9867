#include "policy/cedar/json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <unordered_set>
#include <utility>

#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

namespace json = boost::json;

// Receives the parser's events and builds the tree.
struct Builder {
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX;
  static constexpr std::size_t max_string_size = SIZE_MAX;

  struct Open {
    Json value;
    std::string key;
    std::unordered_set<std::string> keys;
  };

  Json root;
  std::vector<Open> open;
  std::string text;     // of the string or key being read
  std::string trouble;  // why an event was refused

  bool Put(Json value) {
    if (open.empty()) {
      root = std::move(value);
    } else if (open.back().value.IsArray()) {
      open.back().value.items.push_back(std::move(value));
    } else {
      open.back().value.members.push_back({std::move(open.back().key), std::move(value)});
    }
    return true;
  }
  bool Begin(Json::Kind kind) {
    open.emplace_back();
    open.back().value.kind = kind;
    return true;
  }
  bool End() {
    Json value = std::move(open.back().value);
    open.pop_back();
    return Put(std::move(value));
  }
  Json Scalar(Json::Kind kind) {
    Json value;
    value.kind = kind;
    return value;
  }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return Begin(Json::Kind::kObject); }
  bool on_object_end(std::size_t, json::error_code&) { return End(); }
  bool on_array_begin(json::error_code&) { return Begin(Json::Kind::kArray); }
  bool on_array_end(std::size_t, json::error_code&) { return End(); }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    text.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, json::error_code& error) {
    text.append(part.data(), part.size());
    if (!open.back().keys.insert(text).second) {
      trouble = "key " + Quoted(text) + " appears twice";
      error = json::error::syntax;
      return false;
    }
    open.back().key = std::exchange(text, {});
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
    text.append(part.data(), part.size());
    return true;
  }
  bool on_string(json::string_view part, std::size_t, json::error_code&) {
    text.append(part.data(), part.size());
    Json value = Scalar(Json::Kind::kString);
    value.string = std::exchange(text, {});
    return Put(std::move(value));
  }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(int64_t number, json::string_view, json::error_code&) {
    Json value = Scalar(Json::Kind::kInteger);
    value.integer = number;
    return Put(std::move(value));
  }
  bool on_uint64(uint64_t, json::string_view, json::error_code&) {
    return Put(Scalar(Json::Kind::kOtherNumber));  // only beyond the range of int64
  }
  bool on_double(double, json::string_view, json::error_code&) {
    return Put(Scalar(Json::Kind::kOtherNumber));
  }
  bool on_bool(bool boolean, json::error_code&) {
    Json value = Scalar(Json::Kind::kBool);
    value.boolean = boolean;
    return Put(std::move(value));
  }
  bool on_null(json::error_code&) { return Put(Scalar(Json::Kind::kNull)); }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }
};

}  // namespace

bool Json::operator==(const Json& other) const {
  return kind == other.kind && boolean == other.boolean && integer == other.integer &&
         string == other.string && items == other.items && members == other.members;
}

const Json* Json::Find(std::string_view key) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [key](const JsonMember& member) { return member.name == key; });
  return found == members.end() ? nullptr : &found->value;
}

Result<Json> ParseJson(std::string_view text, std::string_view file_name) {
  if (text.size() > kMaxJsonText) {
    return Error{Code::kTooLarge, std::string(file_name) + ": more than " +
                                      std::to_string(kMaxJsonText) + " bytes of JSON"};
  }
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::basic_parser<Builder> parser(options);
  json::error_code error;
  size_t read = parser.write_some(false, text.data(), text.size(), error);
  while (!error && read < text.size() &&
         std::string_view(" \t\r\n").find(text[read]) != std::string_view::npos) {
    ++read;
  }
  if (!error && read < text.size()) error = json::error::extra_data;
  if (error) {
    const std::string& trouble = parser.handler().trouble;
    const bool deep = error == json::error::too_deep;
    return Error{deep ? Code::kTooDeep : Code::kJson,
                 Located(file_name, text, read,
                         trouble.empty() ? "JSON: " + error.message() : "JSON: " + trouble)};
  }
  return std::move(parser.handler().root);
}

std::string JsonQuoted(std::string_view text) {
  return json::serialize(json::string_view(text.data(), text.size()));
}

}  // namespace portcullis::policy::cedar
