// Runs a grammar over text. Where several readings are possible all are followed at once: a
// position is the set of call stacks that the text so far can have led to. Stacks share their
// frames and sets are numbered, so that the step from a set by a byte is computed once and then
// looked up (a lazily built automaton). Where a grammar looks back (items that have to differ) the text is
// kept too, and steps that asked it are not remembered. Not thread-safe; one per answer, or per mask
// being built.
#pragma once

#include <algorithm>
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/sample/grammar/distinct_items.h"
#include "inference/sample/grammar/grammar.h"

namespace portcullis::inference::grammar {

using SetId = int32_t;
inline constexpr SetId kDead = -1;

struct Frame {
  StateId state = 0;
  Counter counter{};
  uint32_t parent = 0;
  friend bool operator==(const Frame&, const Frame&) = default;
};

class Matcher {
 public:
  explicit Matcher(const Grammar& grammar);  // must outlive this

  SetId Start();  // at the grammar's root
  // At one frame of a stack whose rest is unknown.
  SetId StartAt(StateId state, Counter counter);

  SetId Step(SetId set, uint8_t byte);
  SetId StepToken(SetId set, TokenId token);
  SetId Walk(SetId set, std::string_view bytes);

  // Of a grammar that looks back: bytes stepped over so far, and back to fewer of them, at a position
  // that was met there.
  size_t text_size() const { return text_.size(); }
  void Rewind(size_t size) { text_.resize(std::min(size, text_.size())); }

  // Something on a stack of `set` is an array whose items have to differ.
  bool LooksBack(SetId set) const;

  // Forgets everything but one position, whose new number it gives: a long answer passes through
  // many.
  SetId Renew(SetId set);
  size_t sets() const { return sets_.size(); }
  // A position of another matcher of the same grammar.
  SetId Take(const Matcher& from, SetId set);
  // Frames entered so far, and sixteenths of those looked at: what this has cost.
  uint64_t work() const { return work_done_; }
  // From here on this may cost `work` and no more.
  void Allow(uint64_t work) { most_work_ = work_done_ + work; }
  // It cost more, or more memory than one grammar is given. Readings are missing from then on: every
  // position is kDead, and nothing may be made of it.
  bool overran() const { return overran_; }
  // About how much memory this holds.
  size_t bytes() const {
    return frames_.size() * kFrameBytes + entries_ * kEntryBytes + sets_.size() * kSetBytes +
           text_.size() + distinct_.bytes();
  }

  // The text may end here; or, after StartAt, the unknown rest of the stack goes on.
  bool Ends(SetId set) const { return sets_[static_cast<size_t>(set)].ends; }
  bool HasMore(SetId set) const { return !sets_[static_cast<size_t>(set)].frames.empty(); }
  // The top frames, each at a state of bytes or a token.
  std::span<const uint32_t> Frames(SetId set) const { return sets_[static_cast<size_t>(set)].frames; }
  const Frame& frame(uint32_t id) const { return frames_[id]; }

 private:
  static constexpr uint32_t kBottom = 0;
  static constexpr uint16_t kMaxDepth = 200;
  static constexpr size_t kMaxBytes = size_t{128} << 20;
  static constexpr size_t kFrameBytes = 64, kEntryBytes = 8, kSetBytes = 1200;

  struct Set {
    std::vector<uint32_t> frames;  // sorted
    bool ends = false;
    std::unique_ptr<std::array<SetId, 256>> steps;
  };
  struct FrameHash {
    size_t operator()(const Frame& frame) const;
  };
  struct SetHash {
    size_t operator()(const std::vector<uint32_t>& key) const;
  };

  uint32_t Intern(const Frame& frame);
  uint32_t Copy(const Matcher& from, uint32_t frame);
  SetId Close();  // the set of what was gathered
  bool Spend(uint64_t work);
  void Enter(const Frame& frame);

  const Grammar& grammar_;
  std::vector<Frame> frames_;    // [0]: the bottom of all stacks
  std::vector<uint16_t> depths_;
  boost::unordered_flat_map<Frame, uint32_t, FrameHash> frame_ids_;
  std::vector<Set> sets_;
  boost::unordered_flat_map<std::vector<uint32_t>, SetId, SetHash> set_ids_;

  std::string text_;      // where the grammar looks back, else empty
  size_t settled_ = 0;    // of it, what Walk does not take back
  DistinctItems distinct_;

  // While a set is gathered.
  bool looked_back_ = false;
  bool Seen(const Frame& frame);
  std::vector<Frame> work_;
  std::vector<Frame> seen_;  // while they are few, then:
  boost::unordered_flat_set<Frame, FrameHash> seen_set_;
  std::vector<uint32_t> gathered_;
  bool ends_ = false;
  bool overran_ = false;
  uint64_t work_done_ = 0;
  uint64_t most_work_ = UINT64_MAX;
  size_t entries_ = 0;  // frames of all sets together
};

}  // namespace portcullis::inference::grammar
