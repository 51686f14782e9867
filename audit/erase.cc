#include "audit/erase.h"

#include <algorithm>

#include "audit/file.h"
#include "audit/scan.h"
#include "audit/seal.h"
#include "audit/segment.h"
#include "audit/segment_parse.h"
#include "audit/walk.h"

namespace portcullis::audit {
namespace {

constexpr size_t kMaxHeaderFrame = 512;

std::filesystem::path PathOf(const std::filesystem::path& log_folder, uint64_t number) {
  return Within(log_folder) / "segments" / SegmentName(number);
}

Error DamagedSegment(const std::filesystem::path& path, const char* why) {
  return Error{Code::kTampered, "`" + ShownPath(path) + "` is damaged: " + why};
}

// Calls `take` with each frame and its bytes, until it says that it has seen enough.
template <class Take>
Result<void> EachFrame(const std::filesystem::path& path, std::string_view rest, const Take& take) {
  while (!rest.empty()) {
    const ParsedFrame parsed = ParseFrame(rest);
    if (parsed.state != FrameState::kWhole) return DamagedSegment(path, parsed.why);
    BOOST_OUTCOME_TRY(const bool more, take(parsed.frame, rest.substr(0, parsed.frame.size)));
    if (!more) return Ok();
    rest.remove_prefix(parsed.frame.size);
  }
  return Ok();
}

bool HoldsPayload(const Frame& frame) {
  return (frame.type == FrameType::kRecord || frame.type == FrameType::kShredded) && frame.body.size() > kLeafSize;
}

// The payload with zeros for these parts; how many bytes that took out.
Result<uint64_t> Blank(const Leaf& leaf, std::string& body, uint16_t parts) {
  BOOST_OUTCOME_TRY(const auto entries,
                    CheckPayload(leaf, std::string_view(body).substr(kLeafSize), Zeros::kShredded));
  uint64_t bytes = 0;
  size_t at = kLeafSize + entries.size() * kPartEntrySize;
  for (const PartEntry& entry : entries) {
    if ((parts & PartBit(entry.type)) != 0 && !entry.shredded) {
      std::fill_n(body.begin() + static_cast<std::ptrdiff_t>(at), entry.size, '\0');
      bytes += entry.size;
    }
    at += entry.size;
  }
  return bytes;
}

Result<void> EraseFromSegment(const std::filesystem::path& path, const EraseTargets& targets, EraseReport& report) {
  BOOST_OUTCOME_TRY(const std::string content, ReadFile(path, kMaxSegmentFile));
  std::string out;
  bool changed = false;
  size_t at = 0;
  BOOST_OUTCOME_TRY(EachFrame(path, content, [&](const Frame& frame, std::string_view bytes) -> Result<bool> {
    std::string other;
    if (HoldsPayload(frame)) {
      BOOST_OUTCOME_TRY(const Leaf leaf, DecodeLeaf(frame.body.substr(0, kLeafSize)));
      const auto parts = targets.parts.find(leaf.seq);
      if (leaf.parts > 0 && targets.keys.contains(SubjectKeyOf(leaf))) {
        other = EncodeFrame(FrameType::kErased, frame.body.substr(0, kLeafSize));
        report.bytes += frame.body.size() - kLeafSize;
      } else if (parts != targets.parts.end()) {
        std::string body(frame.body);
        BOOST_OUTCOME_TRY(const uint64_t blanked, Blank(leaf, body, parts->second));
        if (blanked > 0) other = EncodeFrame(FrameType::kShredded, body);
        report.bytes += blanked;
      }
    }
    if (!other.empty()) {
      if (!changed) out.assign(content, 0, at);
      changed = true;
      ++report.records;
    }
    if (changed) out += other.empty() ? bytes : std::string_view(other);
    at += bytes.size();
    return true;
  }));
  if (!changed) return Ok();
  ++report.segments;
  return ReplaceFile(path, out, true);
}

Result<uint64_t> FirstSeq(const std::filesystem::path& log_folder, uint64_t number) {
  const auto path = PathOf(log_folder, number);
  BOOST_OUTCOME_TRY(const std::string content, ReadFileRange(path, 0, kMaxHeaderFrame));
  const ParsedFrame parsed = ParseFrame(content);
  if (parsed.state != FrameState::kWhole || parsed.frame.type != FrameType::kSegment) {
    return DamagedSegment(path, "it does not begin with its header");
  }
  BOOST_OUTCOME_TRY(const SegmentHeader header, DecodeSegmentHeader(parsed.frame.body));
  return header.first_seq;
}

// The segment, of those below `end`, in which the record lies.
Result<uint64_t> SegmentOf(const std::filesystem::path& log_folder, uint64_t end, uint64_t seq) {
  uint64_t low = 0;
  while (low + 1 < end) {
    const uint64_t middle = low + (end - low) / 2;
    BOOST_OUTCOME_TRY(const uint64_t first, FirstSeq(log_folder, middle));
    (first <= seq ? low : end) = middle;
  }
  return low;
}

}  // namespace

std::map<uint64_t, EraseTargets> TargetsOf(const KeyStore::Erasures& pending) {
  std::map<uint64_t, EraseTargets> targets;
  for (const auto& [end, keys] : pending.destroyed) targets[end].keys = keys;
  for (const auto& [end, parts] : pending.parts_destroyed) {
    for (const PartShredding& part : parts) {
      uint16_t& bits = targets[end].parts[part.seq];
      bits = static_cast<uint16_t>(bits | PartBit(PartOf(part.point)));
    }
  }
  return targets;
}

Result<EraseReport> EraseFromSegments(const std::filesystem::path& log_folder, uint64_t end,
                                      const EraseTargets& targets,
                                      const std::function<void()>& after_each) {
  EraseReport report;
  std::set<uint64_t> some;  // where no key is gone, only these are looked at
  for (const auto& [seq, parts] : targets.parts) {
    if (end == 0 || !targets.keys.empty()) break;
    BOOST_OUTCOME_TRY(const uint64_t number, SegmentOf(log_folder, end, seq));
    some.insert(number);
  }
  for (uint64_t number = 0; number < end; ++number) {
    if (!targets.keys.empty() || some.contains(number)) {
      BOOST_OUTCOME_TRY(EraseFromSegment(PathOf(log_folder, number), targets, report));
    }
    if (after_each) after_each();
  }
  return report;
}

Result<std::vector<PartEntry>> FindParts(const std::filesystem::path& log_folder, uint64_t seq) {
  BOOST_OUTCOME_TRY(const auto numbers, ListSegments(log_folder));
  BOOST_OUTCOME_TRY(const uint64_t number, SegmentOf(log_folder, numbers.size(), seq));
  const auto path = PathOf(log_folder, number);
  BOOST_OUTCOME_TRY(const std::string content, ReadFile(path, kMaxSegmentFile));
  std::vector<PartEntry> entries;
  BOOST_OUTCOME_TRY(EachFrame(path, content, [&](const Frame& frame, std::string_view) -> Result<bool> {
    if (!HoldsPayload(frame)) return true;
    BOOST_OUTCOME_TRY(const Leaf leaf, DecodeLeaf(frame.body.substr(0, kLeafSize)));
    if (leaf.seq != seq) return true;
    BOOST_OUTCOME_TRY(entries, CheckPayload(leaf, frame.body.substr(kLeafSize), Zeros::kShredded));
    return false;
  }));
  return entries;
}

}  // namespace portcullis::audit
