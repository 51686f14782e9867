#include "audit/erase.h"

#include "audit/file.h"
#include "audit/segment.h"
#include "audit/segment_parse.h"

namespace portcullis::audit {
namespace {

Result<void> EraseFromSegment(const std::filesystem::path& path, const std::set<SubjectKeyId>& keys,
                              EraseReport& report) {
  BOOST_OUTCOME_TRY(const std::string content, ReadFile(path, kMaxSegmentFile));
  std::string_view rest = content;
  std::string out;
  bool changed = false;
  while (!rest.empty()) {
    const ParsedFrame parsed = ParseFrame(rest);
    if (parsed.state != FrameState::kWhole) {
      return Error{Code::kTampered, "`" + path.string() + "` is damaged: " + parsed.why};
    }
    const std::string_view frame = rest.substr(0, parsed.frame.size);
    rest.remove_prefix(parsed.frame.size);
    if (parsed.frame.type == FrameType::kRecord && parsed.frame.body.size() > kLeafSize) {
      BOOST_OUTCOME_TRY(const Leaf leaf, DecodeLeaf(parsed.frame.body.substr(0, kLeafSize)));
      if (leaf.parts > 0 && keys.contains(SubjectKeyOf(leaf))) {
        if (!changed) out.assign(content, 0, content.size() - rest.size() - frame.size());
        changed = true;
        out += EncodeFrame(FrameType::kErased, parsed.frame.body.substr(0, kLeafSize));
        ++report.records;
        report.bytes += parsed.frame.body.size() - kLeafSize;
        continue;
      }
    }
    if (changed) out += frame;
  }
  if (!changed) return Ok();
  ++report.segments;
  return ReplaceFile(path, out, true);
}

}  // namespace

Result<EraseReport> EraseFromSegments(const std::filesystem::path& log_folder, uint64_t end,
                                      const std::set<SubjectKeyId>& keys,
                                      const std::function<void()>& after_each) {
  EraseReport report;
  for (uint64_t number = 0; number < end; ++number) {
    BOOST_OUTCOME_TRY(EraseFromSegment(log_folder / "segments" / SegmentName(number), keys, report));
    if (after_each) after_each();
  }
  return report;
}

}  // namespace portcullis::audit
