#include "inference/tokenizer/pretokenize.h"

#include <algorithm>
#include <utility>

namespace portcullis::inference {
namespace {

constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
                                    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDeepSeekV3[] = {R"(\p{N}{1,3})", "[一-龥぀-ゟ゠-ヿ]+",
                                            R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^)"
                                            "\r\n"
                                            R"(\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[)"
                                            "\r\n"
                                            R"(]*|\s*[)"
                                            "\r\n"
                                            R"(]+|\s+(?!\S)|\s+)"};

// A piece is a match or the text between matches. Turns matches into pieces as the behaviour says.
class Cutter {
 public:
  Cutter(std::string_view text, SplitBehavior behavior, std::vector<std::string_view>& out)
      : text_(text), behavior_(behavior), out_(out) {}

  void Part(size_t begin, size_t end, bool separator) {
    if (begin == end) return;
    switch (behavior_) {
      case SplitBehavior::kRemoved:
        if (!separator) Emit(begin, end);
        break;
      case SplitBehavior::kIsolated:
        Emit(begin, end);
        break;
      case SplitBehavior::kContiguous:
        if (has_last_ && last_separator_ == separator) {
          Extend(end);
        } else {
          Emit(begin, end);
        }
        break;
      case SplitBehavior::kMergedWithPrevious:
        if (separator && has_last_ && !last_separator_) {
          Extend(end);
        } else {
          Emit(begin, end);
        }
        break;
      case SplitBehavior::kMergedWithNext:
        if (!separator && has_last_ && last_separator_) {
          Extend(end);
        } else {
          Emit(begin, end);
        }
        break;
    }
    has_last_ = true;
    last_separator_ = separator;
  }

 private:
  void Emit(size_t begin, size_t end) {
    begin_ = begin;
    out_.push_back(text_.substr(begin, end - begin));
  }
  void Extend(size_t end) { out_.back() = text_.substr(begin_, end - begin_); }

  std::string_view text_;
  SplitBehavior behavior_;
  std::vector<std::string_view>& out_;
  size_t begin_ = 0;
  bool has_last_ = false;
  bool last_separator_ = false;
};

Result<void> Cut(const Pretokenizer::Split& split, std::string_view text, Regex::Scratch& scratch,
                 std::vector<std::string_view>& out) {
  Cutter cutter(text, split.behavior, out);
  size_t done = 0;
  size_t from = 0;
  while (from < text.size()) {
    BOOST_OUTCOME_TRY(auto found, split.regex.Find(text, from, scratch));
    if (!found) break;
    if (found->end == found->begin) {
      from = found->end + 1;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) ++from;
      continue;
    }
    cutter.Part(done, found->begin, split.invert);
    cutter.Part(found->begin, found->end, !split.invert);
    done = from = found->end;
  }
  cutter.Part(done, text.size(), split.invert);
  return boost::outcome_v2::success();
}

}  // namespace

Result<void> Pretokenizer::AddPattern(std::string_view pattern, SplitBehavior behavior,
                                      bool invert) {
  BOOST_OUTCOME_TRY(auto regex, Regex::Compile(pattern));
  splits_.push_back(Split{std::move(regex), behavior, invert});
  return boost::outcome_v2::success();
}

Result<void> Pretokenizer::Run(std::string_view text, Regex::Scratch& scratch,
                               std::vector<std::string_view>& pieces) const {
  pieces.clear();
  if (!text.empty()) pieces.push_back(text);
  std::vector<std::string_view> next;
  for (const Split& split : splits_) {
    next.clear();
    next.reserve(pieces.size() * 2);
    for (const std::string_view piece : pieces) {
      BOOST_OUTCOME_TRY(Cut(split, piece, scratch, next));
    }
    pieces.swap(next);
  }
  return boost::outcome_v2::success();
}

Result<Pretokenizer> PretokenizerByName(std::string_view name) {
  Pretokenizer result;
  const auto add = [&](std::string_view pattern) {
    return result.AddPattern(pattern, SplitBehavior::kIsolated);
  };
  if (name == "llama-bpe" || name == "llama-v3" || name == "llama3") {
    BOOST_OUTCOME_TRY(add(kLlama3));
  } else if (name == "qwen2" || name == "deepseek-r1-qwen") {
    BOOST_OUTCOME_TRY(add(kQwen2));
  } else if (name == "gpt-2") {
    BOOST_OUTCOME_TRY(add(kGpt2));
  } else if (name == "deepseek-v3") {
    for (const auto pattern : kDeepSeekV3) {
      BOOST_OUTCOME_TRY(add(pattern));
    }
  } else if (name == "deepseek-llm" || name == "deepseek-coder") {
    return Error{Code::kUnsupported, "tokenizer: pre-tokenizer `" + std::string(name) +
                                         "`, that of DeepSeek-V2, DeepSeek LLM and DeepSeek Coder, is "
                                         "not supported; of DeepSeek, V3 and R1 are"};
  } else {
    return Error{Code::kUnsupported,
                 "tokenizer: pre-tokenizer `" + std::string(name.substr(0, 80)) +
                     "` is not supported; known are gpt-2, llama-bpe, qwen2, deepseek-r1-qwen, "
                     "deepseek-v3"};
  }
  return result;
}

std::optional<std::string_view> PretokenizerName(std::span<const std::string_view> patterns,
                                                 bool composes) {
  if (!composes && std::ranges::equal(patterns, kDeepSeekV3)) return "deepseek-v3";
  if (patterns.size() != 1) return std::nullopt;
  if (patterns[0] == kQwen2) return composes ? "qwen2" : "deepseek-r1-qwen";
  if (!composes && patterns[0] == kLlama3) return "llama-bpe";
  if (!composes && patterns[0] == kGpt2) return "gpt-2";
  return std::nullopt;
}

}  // namespace portcullis::inference
