#include "audit/period_scan.h"

#include <algorithm>

#include "audit/daykey.h"
#include "audit/layout.h"

namespace portcullis::audit {
namespace {

constexpr uint64_t kHourUs = 3'600'000'000;

// Whether the segment's day, with so much before and after it, is of the period.
bool Touches(const SegmentPlace& place, uint64_t begin_us, uint64_t end_us, uint64_t slack) {
  const uint64_t day = place.day * kDayUs;
  return begin_us < day + kDayUs + slack && end_us > day - std::min(day, slack);
}

class KeyVisitor : public ScanVisitor {
 public:
  explicit KeyVisitor(const PeriodScan::OnKey& found) : found_(found) {}
  void OnRecord(const ScannedRecord& record) override {
    if (record.leaf.kind == Kind::kKey) found_(record.leaf, record.payload);
  }

 private:
  const PeriodScan::OnKey& found_;
};

}  // namespace

PeriodScan::PeriodScan(std::filesystem::path log_folder, VerifierKey key, uint64_t begin_us, uint64_t end_us)
    : log_folder_(std::move(log_folder)), key_(std::move(key)) {
  // Read before the segments: the log of a working writer is always ahead of it.
  const auto head = SignedHead(log_folder_, key_);
  if (head) head_ = head.value();
  else warning_ = head.error().message + "; so it is not known whether the log's end is missing";
  if (begin_us > 0 || end_us < UINT64_MAX) {
    const Result<void> planned = head ? Plan(begin_us, end_us) : Result<void>(head.error());
    whole_ = !planned;
    if (head && !planned) warning_ = planned.error().message;
    if (!planned) warning_ += "; the whole log is read instead";
  }
  if (whole_) bytes_ = LogBytes(log_folder_);
}

Result<void> PeriodScan::Plan(uint64_t begin_us, uint64_t end_us) {
  BOOST_OUTCOME_TRY(const std::vector<uint64_t> numbers, ListSegments(log_folder_));
  std::vector<bool> wanted;
  for (const uint64_t number : numbers) {
    BOOST_OUTCOME_TRY(const SegmentPlace place, PlaceOfSegment(log_folder_, key_, number));
    if (number != places_.size()) {
      return Error{Code::kTampered, "segment " + SegmentName(places_.size()) + " is missing"};
    }
    places_.push_back(place);
    wanted.push_back(Touches(place, begin_us, end_us, 0));
  }
  BOOST_OUTCOME_TRY(const bool newest_ends, CheckEnds());
  // A record that was late for its day lies where that day's segments end.
  const std::vector<bool> of_its_days = wanted;
  for (size_t i = 0; i < places_.size(); ++i) {
    const bool beside = (i > 0 && of_its_days[i - 1]) || (i + 1 < places_.size() && of_its_days[i + 1]);
    if (beside && Touches(places_[i], begin_us, end_us, kHourUs)) wanted[i] = true;
  }
  // What the newest one says of itself is not signed while its end is being written: it is read.
  if (!newest_ends) wanted.back() = true;
  // One can begin only with what the checkpoint covers.
  for (size_t i = places_.size(); i-- > 1;) {
    if (wanted[i] && places_[i].first_seq > head_.size) wanted[i - 1] = true;
  }
  for (size_t i = 0; i < places_.size(); ++i) {
    if (!wanted[i]) continue;
    if (i == 0 || !wanted[i - 1]) {
      Stretch& stretch = stretches_.emplace_back();
      BOOST_OUTCOME_TRY(stretch.start, StartOfSegment(log_folder_, head_, places_[i]));
      stretch.first_seq = places_[i].first_seq;
    }
    stretches_.back().end_segment = i + 1;
    std::error_code error;
    const uint64_t size = std::filesystem::file_size(LogLayout(log_folder_).segments() / SegmentName(i), error);
    bytes_ += error ? 0 : size;
  }
  return Ok();
}

// Headers decide what is not read, so each is held against what is signed: it is the one of its segment's last
// batch, and behind that batch the next segment begins; the newest ends behind what the signed checkpoint covers. False:
// it does not end with a batch.
Result<bool> PeriodScan::CheckEnds() const {
  SegmentEnd before;
  for (const SegmentPlace& place : places_) {
    if (place.first_seq != before.size || place.previous_batch != before.batch) {
      return Error{Code::kTampered, "segment " + SegmentName(place.number) + ": records before it are missing"};
    }
    const auto end = EndOfSegment(log_folder_, key_, place);
    if (place.number + 1 == places_.size()) {
      if (!end || !end.value()) return false;
      if (end.value()->size < head_.size) return EndsEarly(end.value()->size);
      return true;
    }
    if (!end) return end.error();
    if (end.value()) before = *end.value();
  }
  if (head_.size > 0) return EndsEarly(0);
  return true;
}

Error PeriodScan::EndsEarly(uint64_t size) const {
  return Error{Code::kRolledBack, "the log ends at record " + std::to_string(size) +
                                      ", its signed checkpoint covers " + std::to_string(head_.size)};
}

// To be asked of a scan that goes to the log's end: what is signed of it must be there, whatever the last segment says.
void PeriodScan::CheckEndOf(ScanResult& result) const {
  if (result.fault && !result.torn) return;
  const uint64_t size = result.tree.size();
  std::optional<Error> bad;
  if (size < head_.size) {
    bad = EndsEarly(size);
  } else if (const auto root = result.roots.find(head_.size);
             head_.size > 0 && (root == result.roots.end() || root->second != head_.root)) {
    bad = Error{Code::kForked, "the log's signed checkpoint has another root than its records"};
  }
  if (!bad) return;
  result.torn = false;
  result.fault = Fault{bad->code, std::min(size, head_.size), bad->message};
}

uint64_t PeriodScan::segments() const {
  uint64_t count = 0;
  for (const Stretch& stretch : stretches_) count += stretch.end_segment - stretch.start.segment;
  return count;
}

ScanResult PeriodScan::Run(ScanOptions options, ScanVisitor& visitor) {
  options.root_sizes.push_back(head_.size);
  ScanResult result;
  if (whole_) {
    result = ScanLog(log_folder_, key_, options, &visitor);
    CheckEndOf(result);
    return result;
  }
  uint64_t done = 0, last = 0;
  if (options.progress) {
    options.progress = [&, progress = options.progress](uint64_t bytes, uint64_t records) {
      last = bytes;
      progress(done + bytes, records);
    };
  }
  for (const Stretch& stretch : stretches_) {
    known_segment_ = stretch.start.segment;
    known_seq_ = stretch.first_seq;
    options.start = stretch.start;
    options.end_segment = stretch.end_segment;
    result = ScanLog(log_folder_, key_, options, &visitor);
    if (stretch.end_segment == places_.size()) CheckEndOf(result);
    if (result.fault) return result;
    done += last;
  }
  return result;
}

void PeriodScan::FindKeys(uint64_t chain, const OnKey& found) {
  if (chain >= known_seq_) return;
  const auto after = std::upper_bound(places_.begin(), places_.end(), chain,
                                      [](uint64_t seq, const SegmentPlace& place) { return seq < place.first_seq; });
  const SegmentPlace& place = *std::prev(after);
  const auto start = StartOfSegment(log_folder_, head_, place);
  ScanOptions options;
  options.start = start ? start.value() : ScanStart();
  options.end_segment = known_segment_;
  KeyVisitor visitor(found);
  (void)ScanLog(log_folder_, key_, options, &visitor);
  known_segment_ = options.start->segment;
  known_seq_ = start ? place.first_seq : 0;
}

}  // namespace portcullis::audit
