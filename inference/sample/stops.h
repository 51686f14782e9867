// Stop strings over token borders: text that could still grow into one is held back until it
// cannot. The stop string itself is never given out. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace portcullis::inference {

class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> stops);  // empty strings are ignored

  // The part of the text so far that may be shown now. Nothing more after stopped().
  std::string Push(std::string_view text);
  std::string Finish();  // what is still held back, unless stopped
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

// Length of the longest end of `text` that is a proper beginning of `word`.
size_t OverlapAtEnd(std::string_view text, std::string_view word);

}  // namespace portcullis::inference
