// The interface between the scanner and one detector, and all a new detector needs: a Detector in a
// file under detectors/, declared in detectors/all.h, and a line in builtin.cc. A detector is a
// pure function of the units around a trigger; it keeps no state and allocates nothing.
//
// Units: one byte per code point of the normalised text (see normalize.h). Positions are indices
// into the Window. Reading past the end of what has arrived gives 0 and starves the window; the
// scanner then discards the verdict and asks again when more has come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace portcullis::policy {

class Window {
 public:
  static constexpr size_t kReach = 4096;      // units from the trigger on
  static constexpr size_t kLookBehind = 128;  // units before the trigger

  Window(std::string_view units, size_t floor, size_t at, bool final)
      : units_(units.data()),
        low_(at - floor > kLookBehind ? at - kLookBehind : floor),
        limit_(at + kReach),
        high_(units.size() < limit_ ? units.size() : limit_),
        final_(final) {}

  // The unit at `i`, or 0 beyond either end.
  unsigned char operator[](size_t i) const {
    if (i >= low_ && i < high_) [[likely]]
      return static_cast<unsigned char>(units_[i]);
    if (!final_ && i >= high_ && i < limit_) starved_ = true;
    return 0;
  }
  size_t low() const { return low_; }
  // One past the last position that may ever be read; a scan that gets here was cut by the reach.
  size_t limit() const { return limit_; }
  bool starved() const { return starved_; }

 private:
  const char* units_;
  size_t low_;
  size_t limit_;
  size_t high_;
  bool final_;
  mutable bool starved_ = false;
};

struct Label {
  std::string_view data_class;
  std::string_view kind;
  uint8_t severity = 0;
  std::string_view jurisdiction = "";
};

// A block longer than the reach: the detector recognises its head, the body takes unit after unit.
enum class BlockStep { kMore, kLast, kOutside };  // outside: this unit is no longer part of it
struct BlockState {
  uint32_t length = 0;  // units taken so far, head not counted
  uint8_t phase = 0;
  bool complete = false;  // set by the body when the block ended as it should
};
using BlockBody = BlockStep (*)(BlockState& state, unsigned char unit);

struct Match {
  size_t start = 0;
  size_t end = 0;
  float confidence = 0;
  const Label* label = nullptr;        // nullptr: the detector's own
  std::string_view jurisdiction = "";  // "": the label's
  BlockBody body = nullptr;  // set: the match is the head of a block that goes on at `end`
};

enum Trigger : uint8_t {
  kOnNumber = 1,   // a digit with no word unit before it
  kOnLiteral = 2,  // one of `literals`, with no unit of its first unit's sort before it
  kOnAt = 4,       // '@'
  kOnColon = 8,    // ':'
  kOnPlus = 16,    // '+' and a digit
  kOnParen = 32,   // '(' and a digit
};

struct Detector {
  Label label;
  uint8_t triggers = 0;
  // kOnNumber only: asked where at least so many digits follow, single separators between them.
  uint8_t min_digits = 0;
  std::span<const std::string_view> literals = {};
  // kOnLiteral only: sorts (units.h) of which the unit after the literal must be; 0 for any.
  uint8_t follow = 0;
  // `at` is the trigger. A match starts at `at` or later; with kOnAt and kOnColon it may start up
  // to DetectorSet::kMaxBehind earlier, over units for which IsBackward() holds. `literal` is the
  // index of the literal that was met.
  bool (*probe)(const Window& window, size_t at, size_t literal, Match& match) = nullptr;
};

}  // namespace portcullis::policy
