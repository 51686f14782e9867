#include "inference/tokenizer/json_pipeline.h"

#include <boost/json.hpp>
#include <utility>

namespace portcullis::inference {
namespace {

namespace json = boost::json;

constexpr std::string_view kMetaspace = "\u2581";
constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kPunctuation = R"([!-/:-@\[-`{-~\p{P}])";
constexpr size_t kMaxSteps = 32;

Result<const json::object*> Object(const json::value& value, const char* what) {
  const json::object* object = value.if_object();
  if (object == nullptr) return BadTokenizerJson(std::string(what) + " is not an object");
  return object;
}

Error UnknownStep(const char* what, std::string_view type) {
  return Error{Code::kUnsupported, std::string("tokenizer.json: ") + what + " `" +
                                       std::string(type.substr(0, 80)) + "` is not supported"};
}

// A Sequence holds its steps under `list`; anything else is a step itself.
template <class Read>
Result<void> ForEachStep(const json::value& value, const char* what, std::string_view list,
                         const Read& read) {
  if (value.is_null()) return boost::outcome_v2::success();
  BOOST_OUTCOME_TRY(const json::object* object, Object(value, what));
  BOOST_OUTCOME_TRY(const auto type, StringOr(*object, "type", ""));
  if (type != "Sequence") return read(*object, type);
  const json::value* steps = object->if_contains(list);
  const json::array* array = steps == nullptr ? nullptr : steps->if_array();
  if (array == nullptr || array->size() > kMaxSteps) {
    return BadTokenizerJson(std::string(what) + " has no list of at most 32 steps");
  }
  for (const json::value& step : *array) {
    BOOST_OUTCOME_TRY(const json::object* inner, Object(step, what));
    BOOST_OUTCOME_TRY(const auto kind, StringOr(*inner, "type", ""));
    BOOST_OUTCOME_TRY(read(*inner, kind));
  }
  return boost::outcome_v2::success();
}

struct Pattern {
  std::string_view text;
  bool regex = false;
};

Result<Pattern> ReadPattern(const json::object& step) {
  const json::value* value = step.if_contains("pattern");
  const json::object* object = value == nullptr ? nullptr : value->if_object();
  if (object == nullptr) return BadTokenizerJson("a step lacks its pattern");
  for (const bool regex : {true, false}) {
    const json::value* text = object->if_contains(regex ? "Regex" : "String");
    if (text == nullptr) continue;
    if (!text->is_string()) return BadTokenizerJson("a pattern is not a string");
    return Pattern{text->get_string(), regex};
  }
  return BadTokenizerJson("a pattern is neither Regex nor String");
}

std::string Quote(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool word = (c & 0x80) != 0 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                      (c >= 'a' && c <= 'z') || c == ' ';
    if (!word) out += '\\';
    out += c;
  }
  return out;
}

Result<SplitBehavior> ReadBehavior(const json::object& step) {
  BOOST_OUTCOME_TRY(const auto name, StringOr(step, "behavior", "Isolated"));
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  return UnknownStep("split behaviour", name);
}

Result<void> ReadMetaspace(const json::object& step, Tokenizer::Parts& parts, Alphabet& alphabet) {
  BOOST_OUTCOME_TRY(const auto replacement, StringOr(step, "replacement", kMetaspace));
  if (replacement != kMetaspace) return UnknownStep("Metaspace replacement", replacement);
  BOOST_OUTCOME_TRY(const bool old_prefix, BoolOr(step, "add_prefix_space", true));
  BOOST_OUTCOME_TRY(const auto scheme,
                    StringOr(step, "prepend_scheme", old_prefix ? "always" : "never"));
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    return UnknownStep("Metaspace prepend_scheme", scheme);
  }
  alphabet.metaspace = true;
  parts.normalizer.AddReplace(" ", std::string(kMetaspace));
  if (scheme != "never") {
    parts.normalizer.AddPrefix(std::string(kMetaspace), true, scheme == "first");
  }
  BOOST_OUTCOME_TRY(const bool split, BoolOr(step, "split", true));
  if (split) return parts.pretokenizer.AddPattern(" ", SplitBehavior::kMergedWithNext);
  return boost::outcome_v2::success();
}

}  // namespace

Error BadTokenizerJson(const std::string& what) {
  return Error{Code::kBadTokenizer, "tokenizer.json: " + what};
}

Result<std::string_view> StringOr(const json::object& object, std::string_view key,
                                  std::string_view absent) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return absent;
  if (!value->is_string()) return BadTokenizerJson("`" + std::string(key) + "` is not a string");
  return std::string_view(value->get_string());
}

Result<bool> BoolOr(const json::object& object, std::string_view key, bool absent) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return absent;
  if (!value->is_bool()) return BadTokenizerJson("`" + std::string(key) + "` is not true or false");
  return value->get_bool();
}

Result<void> ReadNormalizer(const json::value& value, Tokenizer::Parts& parts) {
  Normalizer& normalizer = parts.normalizer;
  const auto read = [&](const json::object& step, std::string_view type) -> Result<void> {
    if (type == "NFC") {
      normalizer.AddForm(UnicodeForm::kNfc);
    } else if (type == "NFD") {
      normalizer.AddForm(UnicodeForm::kNfd);
    } else if (type == "NFKC") {
      normalizer.AddForm(UnicodeForm::kNfkc);
    } else if (type == "NFKD") {
      normalizer.AddForm(UnicodeForm::kNfkd);
    } else if (type == "Prepend") {
      BOOST_OUTCOME_TRY(const auto prefix, StringOr(step, "prepend", ""));
      normalizer.AddPrefix(std::string(prefix), false, false);
    } else if (type == "Replace") {
      BOOST_OUTCOME_TRY(const Pattern pattern, ReadPattern(step));
      BOOST_OUTCOME_TRY(const auto content, StringOr(step, "content", ""));
      if (pattern.regex) return normalizer.AddReplacePattern(pattern.text, std::string(content));
      normalizer.AddReplace(std::string(pattern.text), std::string(content));
    } else {
      return UnknownStep("normalizer", type);
    }
    return boost::outcome_v2::success();
  };
  return ForEachStep(value, "normalizer", "normalizers", read);
}

Result<void> ReadPretokenizer(const json::value& value, Tokenizer::Parts& parts,
                              Alphabet& alphabet) {
  Pretokenizer& pre = parts.pretokenizer;
  const auto read = [&](const json::object& step, std::string_view type) -> Result<void> {
    if (alphabet.byte_level) {
      return BadTokenizerJson("a pre-tokenizer after ByteLevel cannot be followed");
    }
    if (type == "Split") {
      BOOST_OUTCOME_TRY(const Pattern pattern, ReadPattern(step));
      BOOST_OUTCOME_TRY(const auto behavior, ReadBehavior(step));
      BOOST_OUTCOME_TRY(const bool invert, BoolOr(step, "invert", false));
      return pre.AddPattern(pattern.regex ? std::string(pattern.text) : Quote(pattern.text),
                            behavior, invert);
    }
    if (type == "ByteLevel") {
      alphabet.byte_level = true;
      BOOST_OUTCOME_TRY(pre.add_prefix_space, BoolOr(step, "add_prefix_space", true));
      BOOST_OUTCOME_TRY(const bool use_regex, BoolOr(step, "use_regex", true));
      if (use_regex) return pre.AddPattern(kGpt2, SplitBehavior::kIsolated);
      return boost::outcome_v2::success();
    }
    if (type == "Digits") {
      BOOST_OUTCOME_TRY(const bool individual, BoolOr(step, "individual_digits", false));
      return pre.AddPattern(individual ? R"(\p{N})" : R"(\p{N}+)", SplitBehavior::kIsolated);
    }
    if (type == "Punctuation") {
      BOOST_OUTCOME_TRY(const auto behavior, ReadBehavior(step));
      return pre.AddPattern(kPunctuation, behavior);
    }
    if (type == "Whitespace") {
      return pre.AddPattern(R"(\w+|[^\w\s]+)", SplitBehavior::kRemoved, true);
    }
    if (type == "WhitespaceSplit") return pre.AddPattern(R"(\s+)", SplitBehavior::kRemoved);
    if (type == "Metaspace") return ReadMetaspace(step, parts, alphabet);
    return UnknownStep("pre-tokenizer", type);
  };
  return ForEachStep(value, "pre_tokenizer", "pretokenizers", read);
}

Result<void> ReadDecoder(const json::value& value, Tokenizer::Parts& parts, Alphabet& alphabet) {
  const auto read = [&](const json::object& step, std::string_view type) -> Result<void> {
    if (type == "ByteLevel") {
      alphabet.byte_level = true;
    } else if (type == "Metaspace") {
      alphabet.metaspace = true;
      BOOST_OUTCOME_TRY(const auto scheme, StringOr(step, "prepend_scheme", "always"));
      BOOST_OUTCOME_TRY(const bool prefix, BoolOr(step, "add_prefix_space", scheme != "never"));
      parts.strip_first_space = prefix;
    } else if (type == "Replace") {
      BOOST_OUTCOME_TRY(const Pattern pattern, ReadPattern(step));
      BOOST_OUTCOME_TRY(const auto content, StringOr(step, "content", ""));
      if (pattern.text != kMetaspace || content != " ") return UnknownStep("decoder", type);
      alphabet.metaspace = true;
    } else if (type == "Strip") {
      BOOST_OUTCOME_TRY(const auto content, StringOr(step, "content", ""));
      const json::value* start = step.if_contains("start");
      if (content != " ") return UnknownStep("decoder", type);
      parts.strip_first_space = start != nullptr && *start == 1;
    } else if (type != "ByteFallback" && type != "Fuse") {
      return UnknownStep("decoder", type);
    }
    return boost::outcome_v2::success();
  };
  return ForEachStep(value, "decoder", "decoders", read);
}

}  // namespace portcullis::inference
