#include "inference/tokenizer/normalize.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>

#include <algorithm>
#include <utility>

namespace portcullis::inference {
namespace {

constexpr size_t kMaxGrowth = 64 * 1024 * 1024;

Result<std::string> ToForm(UnicodeForm form, const std::string& text) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
  if (ascii) return text;
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = nullptr;
  switch (form) {
    case UnicodeForm::kNfc:
      normalizer = icu::Normalizer2::getNFCInstance(status);
      break;
    case UnicodeForm::kNfd:
      normalizer = icu::Normalizer2::getNFDInstance(status);
      break;
    case UnicodeForm::kNfkc:
      normalizer = icu::Normalizer2::getNFKCInstance(status);
      break;
    case UnicodeForm::kNfkd:
      normalizer = icu::Normalizer2::getNFKDInstance(status);
      break;
  }
  std::string out;
  if (U_SUCCESS(status)) {
    icu::StringByteSink<std::string> sink(&out);
    normalizer->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())),
                              sink, nullptr, status);
  }
  if (U_FAILURE(status)) {
    return Error{Code::kInternal,
                 std::string("tokenizer: Unicode normalisation failed: ") + u_errorName(status)};
  }
  return out;
}

std::string Replace(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (;;) {
    const size_t at = text.find(from);
    out.append(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    out.append(to);
    text.remove_prefix(at + from.size());
  }
}

Result<std::string> ReplacePattern(std::string_view text, const Regex& regex, std::string_view to) {
  Regex::Scratch scratch;
  std::string out;
  size_t done = 0;
  size_t from = 0;
  while (from < text.size()) {
    BOOST_OUTCOME_TRY(auto found, regex.Find(text, from, scratch));
    if (!found) break;
    if (found->begin == found->end) {
      from = found->end + 1;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) ++from;
      continue;
    }
    out.append(text.substr(done, found->begin - done));
    out.append(to);
    done = from = found->end;
  }
  out.append(text.substr(done));
  return out;
}

}  // namespace

void Normalizer::AddForm(UnicodeForm form) {
  Step step;
  step.form = form;
  steps_.push_back(std::move(step));
}

void Normalizer::AddPrefix(std::string prefix, bool unless_there, bool first_only) {
  Step step;
  step.kind = Step::Kind::kPrefix;
  step.to = std::move(prefix);
  step.unless_there = unless_there;
  step.first_only = first_only;
  steps_.push_back(std::move(step));
}

void Normalizer::AddReplace(std::string from, std::string to) {
  if (from.empty()) return;
  Step step;
  step.kind = Step::Kind::kReplace;
  step.from = std::move(from);
  step.to = std::move(to);
  steps_.push_back(std::move(step));
}

Result<void> Normalizer::AddReplacePattern(std::string_view pattern, std::string to) {
  Step step;
  step.kind = Step::Kind::kPattern;
  step.to = std::move(to);
  BOOST_OUTCOME_TRY(auto regex, Regex::Compile(pattern));
  step.pattern.push_back(std::move(regex));
  steps_.push_back(std::move(step));
  return boost::outcome_v2::success();
}

Result<std::string> Normalizer::Run(std::string text, bool first) const {
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Step::Kind::kForm: {
        BOOST_OUTCOME_TRY(text, ToForm(step.form, text));
        break;
      }
      case Step::Kind::kPrefix:
        if (text.empty() || (step.first_only && !first)) break;
        if (!step.unless_there || !text.starts_with(step.to)) text.insert(0, step.to);
        break;
      case Step::Kind::kReplace:
        text = Replace(text, step.from, step.to);
        break;
      case Step::Kind::kPattern: {
        BOOST_OUTCOME_TRY(text, ReplacePattern(text, step.pattern.front(), step.to));
        break;
      }
    }
    if (text.size() > kMaxGrowth) {
      return Error{Code::kTooLarge, "tokenizer: text grows beyond 64 MiB when normalised"};
    }
  }
  return text;
}

}  // namespace portcullis::inference
