#include "inference/sample/grammar/distinct_items.h"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <charconv>
#include <optional>
#include <vector>

namespace portcullis::inference::grammar {
namespace {

namespace json = boost::json;

constexpr std::string_view kBetween = " \t\r\n,";
constexpr size_t kEntryBytes = 48;

// The item that begins at or behind `at`, which moves behind it; empty: none.
std::string_view NextItem(std::string_view text, size_t& at) {
  at = std::min(text.find_first_not_of(kBetween, at), text.size());
  const size_t begin = at;
  if (begin == text.size()) return {};
  if (text[begin] != '"') {
    at = std::min(text.find_first_of(kBetween, begin), text.size());
    return text.substr(begin, at - begin);
  }
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  at = std::min(at + 1, text.size());
  return text.substr(begin, at - begin);
}

// The same for items of the same value; none where there is no saying.
std::optional<std::string> KeyOf(std::string_view item) {
  if (item.starts_with('"')) {
    json::error_code error;
    const json::value value = json::parse(item, error);
    if (error || !value.is_string()) return std::nullopt;
    return "\"" + std::string(value.get_string());
  }
  // The double that is nearest, which the JSON library's is not always.
  double number = 0;
  const char* const close = item.data() + item.size();
  const auto [stop, failure] = std::from_chars(item.data(), close, number);
  if (failure != std::errc() || stop != close) return std::nullopt;
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number == 0 ? 0.0 : number);
  return std::string(buffer.data(), end.ptr);
}

}  // namespace

bool DistinctItems::Differs(std::string_view text, size_t begin, size_t settled, size_t& read) {
  if (begin != begin_ || read_ > settled || read_ < begin) {
    known_.clear();
    known_bytes_ = 0;
    begin_ = read_ = begin;
  }
  std::vector<std::string> drafts;  // behind what is known
  for (size_t at = read_; at < text.size();) {
    const size_t from = at;
    const std::string_view item = NextItem(text, at);
    read += at - from;
    if (item.empty()) break;
    auto key = KeyOf(item);
    if (!key) return false;
    const bool followed = text.find(',', at) < settled;
    if (followed && drafts.empty()) {
      known_bytes_ += key->size() + kEntryBytes;
      known_.insert(std::move(*key));
      read_ = at;
    } else {
      drafts.push_back(std::move(*key));
    }
  }
  if (drafts.empty()) return false;
  const std::string last = std::move(drafts.back());
  drafts.pop_back();
  return !known_.contains(last) && std::find(drafts.begin(), drafts.end(), last) == drafts.end();
}

}  // namespace portcullis::inference::grammar
