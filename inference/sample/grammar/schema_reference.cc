// Two walks over a copy of the document: the first notes the places that have names, the second
// writes pointers to them. Each keeps the base URI of where it is. Names of properties and values of
// `enum` and `const` are no keywords, whatever they look like.
#include "inference/sample/grammar/schema_reference.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "inference/percent.h"
#include "inference/sample/grammar/schema_compiler.h"

namespace portcullis::inference::grammar {
namespace {

namespace json = boost::json;

// Of names to schemas.
constexpr std::string_view kMaps[] = {"properties", "patternProperties", "$defs",
                                      "definitions", "dependentSchemas", "dependencies"};
constexpr std::string_view kValues[] = {"enum", "const", "default", "examples", "example", "required"};

bool Among(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view TextOf(const json::object& object, std::string_view keyword) {
  const json::value* value = Find(object, keyword);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string())
                                                : std::string_view();
}

// Something in it that is no plain pointer, or that others may refer to.
bool HasNames(const json::value& value) {
  if (value.is_array()) {
    return std::any_of(value.get_array().begin(), value.get_array().end(), HasNames);
  }
  if (!value.is_object()) return false;
  return std::any_of(value.get_object().begin(), value.get_object().end(), [](const auto& entry) {
    const std::string_view key = entry.key();
    if (key == "$id" || key == "$anchor" || key == "$dynamicAnchor" || key == "$dynamicRef") return true;
    if (key == "$ref" && entry.value().is_string()) {
      const std::string_view reference = entry.value().get_string();
      if (reference != "#" && !reference.starts_with("#/")) return true;
      if (reference.find('%') != std::string_view::npos) return true;
    }
    return HasNames(entry.value());
  });
}

// Of a URI without its fragment.
struct Uri {
  std::string_view scheme, authority, path, query;
  bool has_authority = false, has_query = false;

  explicit Uri(std::string_view text) {
    const size_t mark = text.find_first_of(":/?");
    if (mark != std::string_view::npos && mark > 0 && text[mark] == ':') {
      scheme = text.substr(0, mark);
      text.remove_prefix(mark + 1);
    }
    if (text.starts_with("//")) {
      has_authority = true;
      text.remove_prefix(2);
      authority = text.substr(0, text.find_first_of("/?"));
      text.remove_prefix(authority.size());
    }
    path = text.substr(0, text.find('?'));
    text.remove_prefix(path.size());
    has_query = !text.empty();
    if (has_query) query = text.substr(1);
  }
};

std::string WithoutDots(std::string_view path) {
  std::string out;
  for (bool more = true; more;) {
    const size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    more = slash != std::string_view::npos;
    path.remove_prefix(more ? slash + 1 : path.size());
    if (segment == "..") {
      const size_t last = out.size() < 2 ? std::string::npos : out.rfind('/', out.size() - 2);
      out.resize(last == std::string::npos ? (out.starts_with('/') ? 1 : 0) : last + 1);
    } else if (segment != ".") {
      out += segment;
      if (more) out += '/';
    }
  }
  return out;
}

// `reference` without its fragment, as said where `base` holds.
std::string Absolute(std::string_view base_text, std::string_view reference_text) {
  const Uri base(base_text), reference(reference_text);
  Uri out = reference;
  std::string path;
  if (!reference.scheme.empty() || reference.has_authority || reference.path.starts_with('/')) {
    path = WithoutDots(reference.path);
  } else if (reference.path.empty()) {
    path = base.path;
    if (!reference.has_query) {
      out.query = base.query;
      out.has_query = base.has_query;
    }
  } else if (base.has_authority && base.path.empty()) {
    path = WithoutDots("/" + std::string(reference.path));
  } else {
    path = WithoutDots(std::string(base.path.substr(0, base.path.rfind('/') + 1)) +
                       std::string(reference.path));
  }
  if (reference.scheme.empty()) {
    out.scheme = base.scheme;
    if (!reference.has_authority) {
      out.authority = base.authority;
      out.has_authority = base.has_authority;
    }
  }
  std::string text;
  if (!out.scheme.empty()) text.append(out.scheme).append(":");
  if (out.has_authority) text.append("//").append(out.authority);
  text += path;
  if (out.has_query) text.append("?").append(out.query);
  return text;
}

class References {
 public:
  explicit References(int64_t& effort) : effort_(effort) {}

  Result<void> Run(json::value& schema) {
    BOOST_OUTCOME_TRY(Visit(schema, "", false));
    naming_ = false;
    return Visit(schema, "", false);
  }

 private:
  // `map`: the keys are no keywords but names of schemas.
  Result<void> Visit(json::value& value, std::string_view base, bool map) {
    BOOST_OUTCOME_TRY(Spend(1));
    if (json::array* items = value.if_array()) {
      size_t number = 0;
      for (json::value& item : *items) {
        BOOST_OUTCOME_TRY(Inside(std::to_string(number++), item, base, false));
      }
      return boost::outcome_v2::success();
    }
    json::object* object = value.if_object();
    if (object == nullptr) return boost::outcome_v2::success();
    std::string own;
    const std::string_view id = map ? std::string_view() : TextOf(*object, "$id");
    const std::string_view uri = id.substr(0, id.find('#'));
    if (!uri.empty()) {
      BOOST_OUTCOME_TRY(Spend(base.size() + uri.size()));
      own = Absolute(base, uri);
      base = own;
    }
    if (naming_ && !map) {
      if (!uri.empty() || pointer_.empty()) {
        BOOST_OUTCOME_TRY(Name(std::string(base)));
      }
      BOOST_OUTCOME_TRY(NameAnchors(*object, base));
    }
    for (auto& entry : *object) {
      const std::string_view key = entry.key();
      if (!map && Among(kValues, key)) continue;
      BOOST_OUTCOME_TRY(Inside(key, entry.value(), base, !map && Among(kMaps, key)));
    }
    if (naming_ || map) return boost::outcome_v2::success();
    return Point(*object, base);
  }

  Result<void> Inside(std::string_view key, json::value& value, std::string_view base, bool map) {
    if (!value.is_structured()) return boost::outcome_v2::success();
    const size_t before = pointer_.size();
    pointer_ += '/';
    for (const char c : key) {
      if (c == '~' || c == '/') {
        pointer_ += c == '~' ? "~0" : "~1";
      } else {
        pointer_ += c;
      }
    }
    BOOST_OUTCOME_TRY(Spend((pointer_.size() - before) / kPathBytes));
    BOOST_OUTCOME_TRY(Visit(value, base, map));
    pointer_.resize(before);
    return boost::outcome_v2::success();
  }

  Result<void> NameAnchors(const json::object& object, std::string_view base) {
    for (const char* keyword : {"$anchor", "$dynamicAnchor", "$id"}) {
      std::string_view name = TextOf(object, keyword);
      if (keyword == std::string_view("$id")) {  // as draft 7 has it
        if (!name.starts_with('#')) continue;
        name.remove_prefix(1);
      }
      if (name.empty()) continue;
      const std::string full = std::string(base) + "#" + std::string(name);
      BOOST_OUTCOME_TRY(Name(full));
      if (keyword != std::string_view("$dynamicAnchor")) continue;
      dynamic_.insert(full);
      auto& [count, pointer] = dynamic_places_[std::string(name)];
      // The whole schema is on every way, and the first on it.
      if (++count == 1) pointer = pointer_;
      if (full == root_ + "#" + std::string(name)) of_root_.insert({std::string(name), pointer_});
    }
    return boost::outcome_v2::success();
  }

  Result<void> Name(std::string uri) {
    BOOST_OUTCOME_TRY(Spend(uri.size() + pointer_.size()));
    if (pointer_.empty() && uri.find('#') == std::string::npos) root_ = uri;
    const auto [it, fresh] = places_.try_emplace(std::move(uri), pointer_);
    if (!fresh && it->second != pointer_) {
      return At("#" + pointer_, "`" + it->first.substr(0, kShownName) + "` is the name of two places");
    }
    return boost::outcome_v2::success();
  }

  // The pointer to what is referred to; none: nothing in this document.
  Result<std::optional<std::string>> Target(std::string_view reference, std::string_view base,
                                            bool dynamic) {
    BOOST_OUTCOME_TRY(Spend(base.size() + reference.size()));
    const size_t hash = reference.find('#');
    const std::string_view uri = reference.substr(0, hash);
    const std::string fragment =
        hash == std::string_view::npos ? "" : PercentDecoded(reference.substr(hash + 1));
    std::string full = uri.empty() ? std::string(base) : Absolute(base, uri);
    const bool anchor = !fragment.empty() && !fragment.starts_with('/');
    if (anchor) full += "#" + fragment;
    const auto place = places_.find(full);
    if (place == places_.end()) return std::nullopt;
    std::string pointer = place->second + (anchor ? "" : fragment);
    if (dynamic && dynamic_.contains(full)) {
      const auto outermost = of_root_.find(fragment);
      const auto& [count, only] = dynamic_places_.at(fragment);
      if (outermost == of_root_.end() && count > 1) return std::nullopt;
      pointer = outermost != of_root_.end() ? outermost->second : only;
    }
    BOOST_OUTCOME_TRY(Spend(pointer.size()));
    return pointer;
  }

  Result<void> Point(json::object& object, std::string_view base) {
    for (const bool dynamic : {false, true}) {
      const char* keyword = dynamic ? "$dynamicRef" : "$ref";
      const json::value* reference = Find(object, keyword);
      if (reference == nullptr || !reference->is_string()) continue;
      BOOST_OUTCOME_TRY(const auto target, Target(reference->get_string(), base, dynamic));
      if (!target) continue;
      const std::string plain = "#" + *target;
      if (!dynamic || Find(object, "$ref") == nullptr) {
        object["$ref"] = plain;
      } else {
        json::value& all = object["allOf"];
        if (!all.is_array()) all = json::array();
        all.get_array().push_back(json::object{{"$ref", plain}});
      }
      if (dynamic) object.erase("$dynamicRef");
    }
    return boost::outcome_v2::success();
  }

  Result<void> Spend(size_t steps) {
    effort_ -= static_cast<int64_t>(steps);
    if (effort_ < 0) return At("#" + pointer_, kTooLong);
    return boost::outcome_v2::success();
  }

  static constexpr size_t kShownName = 100;

  int64_t& effort_;
  bool naming_ = true;
  std::string pointer_;  // to where the walk is
  std::string root_;     // the URI of the whole
  std::map<std::string, std::string> places_;  // URIs, with an anchor or without, to pointers
  std::set<std::string> dynamic_;              // those of `$dynamicAnchor`
  std::map<std::string, std::pair<size_t, std::string>> dynamic_places_;  // by name: how many, the first
  std::map<std::string, std::string> of_root_;  // dynamic ones of the whole, in no schema with an `$id`
};

}  // namespace

Result<std::optional<json::value>> WithPlainReferences(const json::value& schema, int64_t& effort) {
  if (!HasNames(schema)) return std::nullopt;
  json::value copy = schema;
  BOOST_OUTCOME_TRY(References(effort).Run(copy));
  return copy;
}

}  // namespace portcullis::inference::grammar
