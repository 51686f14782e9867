#include "policy/classify/scanner.h"

#include <algorithm>

#include "policy/classify/units.h"

namespace portcullis::policy {
namespace {

constexpr size_t kSlice = 16384;      // bytes normalised and scanned at a time
constexpr size_t kTrimAbove = 32768;  // units kept before the used ones are dropped
constexpr size_t kDigitsOfInterest = 12;

// Digits from `at` on, single separators between them, as far as any detector's minimum.
size_t CountDigits(const Window& window, size_t at) {
  size_t digits = 0;
  for (size_t i = at; digits < kDigitsOfInterest; ++i) {
    const unsigned char unit = window[i];
    if (IsDigit(unit)) {
      ++digits;
    } else if ((unit != ' ' && unit != '-' && unit != '.' && unit != '/') ||
               !IsDigit(window[i + 1])) {
      break;
    }
  }
  return digits;
}

bool Follows(const Window& window, size_t at, const DetectorSet::Literal& literal) {
  const std::string_view text = literal.text;
  for (size_t i = 2; i < text.size(); ++i) {
    if (window[at + i] != static_cast<unsigned char>(text[i])) return false;
  }
  const uint8_t follow = literal.detector->follow;
  return follow == 0 || Is(window[at + text.size()], follow);
}

}  // namespace

std::map<std::string_view, ClassSummary> Summarize(std::span<const Finding> findings) {
  std::map<std::string_view, ClassSummary> summary;
  for (const Finding& finding : findings) {
    ClassSummary& entry = summary[finding.data_class];
    ++entry.count;
    entry.top_severity = std::max(entry.top_severity, finding.severity);
    entry.top_confidence = std::max(entry.top_confidence, finding.confidence);
  }
  return summary;
}

Scanner::Scanner(const DetectorSet& detectors) : Scanner(detectors, {}) { all_ = true; }

Scanner::Scanner(const DetectorSet& detectors, Filter classes)
    : detectors_(detectors), filter_(std::move(classes)) {
  all_ = std::all_of(std::begin(kDataClasses), std::end(kDataClasses), [&](std::string_view name) {
    return std::find(filter_.begin(), filter_.end(), name) != filter_.end();
  });
}

bool Scanner::Wanted(std::string_view data_class) const {
  return all_ || std::find(filter_.begin(), filter_.end(), data_class) != filter_.end();
}

void Scanner::Feed(std::string_view chunk) {
  fresh_.clear();
  if (finished_ && !chunk.empty()) overflow_ = true;
  while (!finished_ && !chunk.empty()) {
    normalizer_.Append(chunk.substr(0, kSlice), units_);
    chunk.remove_prefix(std::min(kSlice, chunk.size()));
    Run(false);
    Settle(false);
    Trim();
  }
}

void Scanner::Finish() {
  fresh_.clear();
  if (finished_) return;
  finished_ = true;
  normalizer_.Finish(units_);
  Run(true);
  if (block_) CloseBlock();
  Settle(true);
}

void Scanner::Run(bool final) {
  for (;;) {
    if (block_) ConsumeBlock();
    if (block_) return;
    pos_ = NextStart();
    if (pos_ == units_.size() || !ProbeAll(pos_, final)) return;
    Accept();
  }
}

// The next place where anything can begin: the first unit of a word, or trigger punctuation.
size_t Scanner::NextStart() const {
  bool word = pos_ > floor_ && IsWord(static_cast<unsigned char>(units_[pos_ - 1]));
  for (size_t i = pos_; i < units_.size(); ++i) {
    const uint8_t sorts = kUnitSorts[static_cast<unsigned char>(units_[i])];
    const bool was_word = word;
    word = (sorts & (kDigit | kUpper | kLower | kForeign)) != 0;
    if (sorts & kPunct) return i;
    if (!word || was_word) continue;
    if ((sorts & kDigit) || i + 1 == units_.size() ||
        detectors_.MayStartLiteral(static_cast<unsigned char>(units_[i]),
                                   static_cast<unsigned char>(units_[i + 1]))) {
      return i;
    }
  }
  return units_.size();
}

bool Scanner::Probe(const Detector& detector, size_t at, size_t literal, bool final) {
  if (!Wanted(detector.label.data_class)) return true;
  const Window window(units_, floor_, at, final);
  Match match;
  const bool found = detector.probe(window, at, literal, match);
  if (window.starved()) return false;
  if (found) matches_.push_back({match, &detector});
  return true;
}

bool Scanner::ProbeEach(Trigger trigger, size_t at, size_t digits, bool final) {
  for (const Detector* detector : detectors_.On(trigger)) {
    if (trigger == kOnNumber && digits < detector->min_digits) continue;
    if (!Probe(*detector, at, 0, final)) return false;
  }
  return true;
}

// Asks all detectors that may have something at `at`. False: more text is needed to say.
bool Scanner::ProbeAll(size_t at, bool final) {
  matches_.clear();
  const Window window(units_, floor_, at, final);
  const unsigned char first = window[at];
  const unsigned char second = window[at + 1];
  if (window.starved()) return false;
  const bool repeated = at > floor_ && window[at - 1] == first;
  if (detectors_.MayStartLiteral(first, second) && (IsWord(first) || !repeated)) {
    for (const DetectorSet::Literal& literal : detectors_.LiteralsFrom(first, second)) {
      const bool follows = Follows(window, at, literal);
      if (window.starved()) return false;
      if (follows && !Probe(*literal.detector, at, literal.index, final)) return false;
    }
  }
  if (IsDigit(first)) {
    const size_t digits = CountDigits(window, at);
    if (window.starved()) return false;
    return digits < detectors_.min_digits() || ProbeEach(kOnNumber, at, digits, final);
  }
  if (first == '@') return ProbeEach(kOnAt, at, 0, final);
  if (first == ':') return ProbeEach(kOnColon, at, 0, final);
  if (first == '+' && IsDigit(second)) return ProbeEach(kOnPlus, at, 0, final);
  if (first == '(' && IsDigit(second)) return ProbeEach(kOnParen, at, 0, final);
  return true;
}

// Hands the matches at pos_ to the resolver, or opens a block, and moves on.
void Scanner::Accept() {
  ++pos_;
  for (const auto& [match, detector] : matches_) {
    const Label& label = match.label ? *match.label : detector->label;
    const OffsetMap& map = normalizer_.map();
    const Finding finding{
        .data_class = label.data_class,
        .kind = label.kind,
        .start = map.Start(base_ + match.start),
        .end = map.End(base_ + match.end - 1),
        .confidence = match.confidence,
        .severity = label.severity,
        .jurisdiction = match.jurisdiction.empty() ? label.jurisdiction : match.jurisdiction};
    if (match.body == nullptr) {
      resolver_.Add(finding, detectors_.RankOf(*detector));
    } else {
      resolver_.CutAt(finding.start, decided_);
      block_ = Block{match.body, {}, finding};
      pos_ = match.end;
      return;
    }
  }
}

void Scanner::ConsumeBlock() {
  for (; pos_ < units_.size(); ++pos_) {
    const auto unit = static_cast<unsigned char>(units_[pos_]);
    const BlockStep step = block_->body(block_->state, unit);
    if (step == BlockStep::kOutside) return CloseBlock();
    ++block_->state.length;
    block_->finding.end = normalizer_.map().End(base_ + pos_);
    if (step == BlockStep::kLast) {
      ++pos_;
      return CloseBlock();
    }
  }
}

void Scanner::CloseBlock() {
  if (!block_->state.complete) block_->finding.confidence *= kUnfinishedBlock;
  decided_.push_back(block_->finding);
  block_.reset();
  floor_ = pos_;
}

// Makes final what no later candidate can touch.
void Scanner::Settle(bool final) {
  if (!block_) {
    if (final) {
      resolver_.Advance(Resolver::kNever, decided_);
      horizon_ = normalizer_.offset();
    } else {
      size_t first = pos_;
      while (first > floor_ && pos_ - first < DetectorSet::kMaxBehind &&
             IsBackward(static_cast<unsigned char>(units_[first - 1]))) {
        --first;
      }
      horizon_ =
          first < units_.size() ? normalizer_.map().Start(base_ + first) : normalizer_.offset();
      resolver_.Advance(horizon_, decided_);
    }
  }
  for (const Finding& finding : decided_) {
    fresh_.push_back(finding);
    if (findings_.size() < kMaxFindings) {
      findings_.push_back(finding);
    } else {
      overflow_ = true;
    }
  }
  decided_.clear();
}

void Scanner::Trim() {
  if (units_.size() <= kTrimAbove || pos_ <= Window::kLookBehind) return;
  const size_t drop = pos_ - Window::kLookBehind;
  units_.erase(0, drop);
  base_ += drop;
  pos_ -= drop;
  floor_ = floor_ > drop ? floor_ - drop : 0;
  normalizer_.map().ForgetBefore(base_);
}

uint64_t Scanner::settled() const {
  return block_ ? block_->finding.start : resolver_.Settled(horizon_);
}

std::optional<Scanner::OpenBlock> Scanner::open() const {
  if (!block_) return std::nullopt;
  const Finding& finding = block_->finding;
  return OpenBlock{finding.data_class, finding.kind, finding.start, finding.end};
}

}  // namespace portcullis::policy
