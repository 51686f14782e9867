#include "inference/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <new>
#include <utility>

namespace portcullis::inference {
namespace {

constexpr size_t kMaxPattern = 16 * 1024;
constexpr uint32_t kMatchLimit = 20'000'000;
constexpr uint32_t kHeapLimitKiB = 16 * 1024;
constexpr std::string_view kSpace = "\\t-\\r\\x{85}\\p{Z}";

std::string Describe(int code) {
  PCRE2_UCHAR text[160] = {};
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using MatchData = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, Deleter<pcre2_jit_stack_free>>;

}  // namespace

struct Regex::Compiled {
  std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>> compiled;
  bool jit = false;
};

struct Regex::Scratch::Data {
  MatchData match{pcre2_match_data_create(1, nullptr)};
  MatchContext context{pcre2_match_context_create(nullptr)};
  JitStack stack{pcre2_jit_stack_create(32 * 1024, 1024 * 1024, nullptr)};
};

Regex::Scratch::Scratch() : data_(std::make_unique<Data>()) {
  if (!data_->match || !data_->context) throw std::bad_alloc();
  pcre2_set_match_limit(data_->context.get(), kMatchLimit);
  pcre2_set_heap_limit(data_->context.get(), kHeapLimitKiB);
  if (data_->stack) pcre2_jit_stack_assign(data_->context.get(), nullptr, data_->stack.get());
}
Regex::Scratch::~Scratch() = default;

Regex::Regex(std::unique_ptr<Compiled> code) : code_(std::move(code)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

std::string FromOniguruma(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char next = pattern[++i];
      if (next == 's') {
        out += in_class ? std::string(kSpace) : "[" + std::string(kSpace) + "]";
      } else if (next == 'S' && !in_class) {
        out += "[^" + std::string(kSpace) + "]";
      } else {
        out += c;
        out += next;
      }
      continue;
    }
    if (c == '[' && !in_class) {
      in_class = true;
      out += c;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') {
        out += "\\]";
        ++i;
      }
      continue;
    }
    if (c == ']' && in_class) in_class = false;
    out += c;
  }
  return out;
}

Result<Regex> Regex::Compile(std::string_view pattern) {
  if (pattern.size() > kMaxPattern) {
    return Error{Code::kBadTokenizer, "tokenizer: regular expression longer than 16 KiB"};
  }
  const std::string translated = FromOniguruma(pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_unique<Compiled>();
  code->compiled.reset(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr));
  if (!code->compiled) {
    return Error{Code::kBadTokenizer, "tokenizer: regular expression `" +
                                          std::string(pattern.substr(0, 200)) +
                                          "` is not understood: " + Describe(error)};
  }
  code->jit = pcre2_jit_compile(code->compiled.get(), PCRE2_JIT_COMPLETE) == 0;
  return Regex(std::move(code));
}

bool Regex::uses_jit() const { return code_->jit; }

Result<std::optional<Regex::Span>> Regex::Find(std::string_view text, size_t from,
                                               Scratch& scratch) const {
  Scratch::Data& data = *scratch.data_;
  const auto match = [&](uint32_t options) {
    return pcre2_match(code_->compiled.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                       text.size(), from, PCRE2_NO_UTF_CHECK | options, data.match.get(),
                       data.context.get());
  };
  int rc = match(0);
  if (rc == PCRE2_ERROR_JIT_STACKLIMIT) rc = match(PCRE2_NO_JIT);
  if (rc == PCRE2_ERROR_NOMATCH) return std::optional<Span>{};
  if (rc < 0) {
    return Error{Code::kInvalidArgument, "tokenizer: splitting the text failed: " + Describe(rc)};
  }
  const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(data.match.get());
  return std::optional<Span>{Span{offsets[0], offsets[1]}};
}

}  // namespace portcullis::inference
