// UTF-8 in, units out: one byte per code point, in the form in which detectors compare. What looks
// like ASCII becomes ASCII (NFKC forms, full-width and other scripts' digits, letters without their
// marks, common Cyrillic and Greek look-alikes, odd spaces and dashes); what is invisible vanishes
// (zero-width, bidi, soft hyphen, variation selectors, combining marks). Any other letter becomes
// kLetter, any other character and each byte that is not UTF-8 becomes kOther.
// Keeps the way back: the offset of every unit in the original bytes. Never fails.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace portcullis::policy {

// Where units lie in the original bytes, as runs of units of one width.
class OffsetMap {
 public:
  void Append(uint64_t unit, uint64_t offset, uint32_t width, uint64_t count);
  uint64_t Start(uint64_t unit) const;  // offset of the unit's first byte
  uint64_t End(uint64_t unit) const;    // one past its last byte
  void ForgetBefore(uint64_t unit);

 private:
  struct Run {
    uint64_t unit;
    uint64_t offset;
    uint32_t width;
  };
  const Run& Find(uint64_t unit) const;
  std::deque<Run> runs_;
  uint64_t next_offset_ = 0;  // where the last run ends, if it goes on without a gap
};

class Normalizer {
 public:
  static constexpr char kLetter = '\x80';
  static constexpr char kOther = '\x81';
  // A longer run of invisible characters is not seen through: it breaks the text with kOther, which
  // bounds memory, and makes blinded() true.
  static constexpr uint32_t kMaxInvisibleRun = 32;

  // Appends the units of `chunk` to `units`; an unfinished character waits for the next call.
  void Append(std::string_view chunk, std::string& units);
  // The text ends here: an unfinished character is invalid bytes.
  void Finish(std::string& units);

  bool blinded() const { return blinded_; }
  uint64_t units() const { return units_; }    // given so far
  uint64_t offset() const { return offset_; }  // bytes that these came from, and invisible ones
  OffsetMap& map() { return map_; }
  const OffsetMap& map() const { return map_; }

 private:
  void Put(char unit, uint32_t width, std::string& units);
  void Skip(uint32_t width, std::string& units);
  size_t Character(std::string_view bytes, bool final, std::string& units);
  void Ascii(std::string_view run, std::string& units);

  OffsetMap map_;
  uint64_t units_ = 0;
  uint64_t offset_ = 0;
  uint32_t invisible_ = 0;  // invisible characters in a row
  bool blinded_ = false;
  std::string carry_;  // first bytes of a character
};

// The unit for a code point: 0 when invisible.
char FoldCodePoint(char32_t code_point);

}  // namespace portcullis::policy
