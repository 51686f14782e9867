// Reads a file of cases (policy/FORMAT.md). One pass over the text; what a file may hold is
// bounded, because every case starts with a copy of `base` and a test file comes with a proposed
// revision.
#include <algorithm>
#include <array>
#include <utility>

#include "policy/cedar/scenario.h"

namespace portcullis::policy::cedar {
namespace {

constexpr std::string_view kContextPrefix = "context.";
constexpr std::array<std::string_view, 7> kKeys = {"principal", "action",  "resource", "context",
                                                   "expect",    "because", "errors"};
constexpr size_t kMaxLines = 100'000;
constexpr size_t kMaxHeld = 16u << 20;  // bytes of settings, over all cases
constexpr size_t kOverhead = 160;       // bytes of a case or setting beside its text

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// Open brackets minus closed ones, outside of strings; fed in pieces.
class Brackets {
 public:
  void Read(std::string_view text) {
    for (const char c : text) {
      if (std::exchange(escaped_, false)) continue;
      if (quoted_ && c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        quoted_ = !quoted_;
      } else if (!quoted_ && std::string_view("([{").find(c) != std::string_view::npos) {
        ++depth_;
      } else if (!quoted_ && std::string_view(")]}").find(c) != std::string_view::npos) {
        --depth_;
      }
    }
  }
  bool open() const { return depth_ > 0; }

 private:
  int depth_ = 0;
  bool quoted_ = false;
  bool escaped_ = false;
};

class Reader {
 public:
  Reader(std::string_view text, std::string_view file) : rest_(text), file_(file) {}

  Result<std::vector<Scenario>> Read() {
    while (!rest_.empty()) {
      const size_t first_line = ++line_;
      std::string_view text = TakeLine();
      const std::string_view line = Trim(text);
      if (line.empty() || line[0] == '#') continue;
      if (line == "base") {
        if (!cases_.empty()) return At(line_, "`base` comes before the first case");
        current_ = &base_;
      } else if (line.starts_with("case ")) {
        held_ += base_size_;
        BOOST_OUTCOME_TRY(Hold(line.size()));
        cases_.push_back(base_);
        current_ = &cases_.back();
        current_->name = Trim(line.substr(5));
        current_->line = line_;
      } else {
        BOOST_OUTCOME_TRY(TakeOpenBrackets(text));
        BOOST_OUTCOME_TRY(Set(text, first_line));
      }
      if (line_ > kMaxLines) return At(line_, "more than 100,000 lines; split the file");
    }
    BOOST_OUTCOME_TRY(CheckExpectations());
    return std::move(cases_);
  }

 private:
  Error At(size_t line, std::string_view message) const {
    return {Code::kTest,
            std::string(file_) + ":" + std::to_string(line) + ": " + std::string(message)};
  }

  Result<void> Hold(size_t bytes) {
    held_ += bytes + kOverhead;
    if (held_ <= kMaxHeld) return boost::outcome_v2::success();
    return At(line_,
              "the cases of this file hold too much; make `base` smaller, or write fewer cases");
  }

  // The next line without its line feed.
  std::string_view TakeLine() {
    const size_t end = std::min(rest_.find('\n'), rest_.size());
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return line;
  }

  // Adds the lines after `text` over which its value goes on.
  Result<void> TakeOpenBrackets(std::string_view& text) {
    Brackets brackets;
    brackets.Read(text);
    while (brackets.open() && !rest_.empty()) {
      if (++line_ > kMaxLines) return At(line_, "more than 100,000 lines; split the file");
      const std::string_view more = TakeLine();
      brackets.Read(more);
      text = {text.data(), static_cast<size_t>(more.data() + more.size() - text.data())};
    }
    return boost::outcome_v2::success();
  }

  Result<void> Set(std::string_view text, size_t first_line) {
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos || current_ == nullptr) {
      return At(first_line, "expected `base`, `case NAME` or `key = value`");
    }
    const std::string key(Trim(text.substr(0, equals)));
    if (std::ranges::find(kKeys, key) == kKeys.end() && !key.starts_with(kContextPrefix)) {
      return At(first_line, "unknown key `" + key + "`");
    }
    const std::string_view value = text.substr(equals + 1);
    const size_t blanks = std::min(value.find_first_not_of(" \t"), value.size());
    if (key == "context") {  // a whole context replaces what the base said about parts of it
      std::erase_if(current_->settings,
                    [](const auto& setting) { return setting.first.starts_with(kContextPrefix); });
    }
    BOOST_OUTCOME_TRY(Hold(key.size() + value.size()));
    if (current_ == &base_) base_size_ += key.size() + value.size() + kOverhead;
    current_->settings[key] = {std::string(Trim(value)), first_line, equals + 2 + blanks};
    return boost::outcome_v2::success();
  }

  Result<void> CheckExpectations() const {
    for (const Scenario& scenario : cases_) {
      const auto expect = scenario.settings.find("expect");
      if (expect == scenario.settings.end() ||
          (expect->second.text != "allow" && expect->second.text != "deny")) {
        return At(scenario.line, "the case needs `expect = allow` or `expect = deny`");
      }
    }
    return boost::outcome_v2::success();
  }

  std::string_view rest_;
  const std::string_view file_;
  size_t line_ = 0;
  size_t base_size_ = 0;  // bytes that each case copies
  size_t held_ = 0;
  Scenario base_;
  std::vector<Scenario> cases_;
  Scenario* current_ = nullptr;
};

}  // namespace

Result<std::vector<Scenario>> ParseScenarios(std::string_view text, std::string_view file_name) {
  return Reader(text, file_name).Read();
}

}  // namespace portcullis::policy::cedar
