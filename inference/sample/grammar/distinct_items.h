// Whether the items of an array differ so far: strings and numbers, compared by their value (RFC 8259),
// so that "a" and "\\u0061", 1 and 1.0 are the same. What of the text is settled is read once; drafts of
// what may follow are read each time. Not thread-safe.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace portcullis::inference::grammar {

class DistinctItems {
 public:
  // Of the items in text[begin, end), of which the last ends there, whether it differs from all others.
  // The first `settled` bytes of the text stay as they are. Adds to `read` the bytes it looked at.
  bool Differs(std::string_view text, size_t begin, size_t settled, size_t& read);
  size_t bytes() const { return known_bytes_; }

 private:
  boost::unordered_flat_set<std::string> known_;  // of one array: settled, and followed by another
  size_t begin_ = 0, read_ = 0;  // where that array begins, and its items that are not in known_
  size_t known_bytes_ = 0;
};

}  // namespace portcullis::inference::grammar
