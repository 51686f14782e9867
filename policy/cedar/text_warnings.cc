#include "policy/cedar/text_warnings.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "policy/cedar/print.h"
#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

struct Range {
  uint32_t first;
  uint32_t last;
};

constexpr std::array<Range, 2> kBidirectional = {{{0x202A, 0x202E}, {0x2066, 0x2069}}};

// Invisible characters, and letters made to look like ASCII ones: full width, mathematical,
// enclosed.
constexpr std::array<Range, 14> kLookAlikes = {{{0x00AD, 0x00AD},
                                                {0x034F, 0x034F},
                                                {0x061C, 0x061C},
                                                {0x115F, 0x1160},
                                                {0x180B, 0x180F},
                                                {0x200B, 0x200F},
                                                {0x2060, 0x2065},
                                                {0x2100, 0x214F},
                                                {0x2460, 0x24FF},
                                                {0x3164, 0x3164},
                                                {0xFE00, 0xFE0F},
                                                {0xFEFF, 0xFEFF},
                                                {0xFF00, 0xFFEF},
                                                {0x1D400, 0x1D7FF}}};

// Scripts that are written together count as one: Han with kana, Bopomofo and Hangul.
enum class Script : uint8_t {
  kCommon,
  kLatin,
  kGreek,
  kCyrillic,
  kArmenian,
  kHebrew,
  kArabic,
  kDevanagari,
  kBengali,
  kGurmukhi,
  kGujarati,
  kTamil,
  kTelugu,
  kThai,
  kGeorgian,
  kEthiopic,
  kCherokee,
  kKhmer,
  kEastAsian
};

struct Block {
  Range range;
  Script script;
};
constexpr std::array<Block, 41> kBlocks = {{
    {{0x0041, 0x005A}, Script::kLatin},      {{0x0061, 0x007A}, Script::kLatin},
    {{0x00AA, 0x00AA}, Script::kLatin},      {{0x00BA, 0x00BA}, Script::kLatin},
    {{0x00C0, 0x00D6}, Script::kLatin},      {{0x00D8, 0x00F6}, Script::kLatin},
    {{0x00F8, 0x02B8}, Script::kLatin},      {{0x0370, 0x0373}, Script::kGreek},
    {{0x0376, 0x037D}, Script::kGreek},      {{0x037F, 0x0384}, Script::kGreek},
    {{0x0386, 0x0386}, Script::kGreek},      {{0x0388, 0x03FF}, Script::kGreek},
    {{0x0400, 0x0484}, Script::kCyrillic},   {{0x0487, 0x052F}, Script::kCyrillic},
    {{0x0531, 0x058F}, Script::kArmenian},   {{0x0591, 0x05F4}, Script::kHebrew},
    {{0x0600, 0x0604}, Script::kArabic},     {{0x0620, 0x063F}, Script::kArabic},
    {{0x0641, 0x064A}, Script::kArabic},     {{0x066E, 0x06FF}, Script::kArabic},
    {{0x0750, 0x077F}, Script::kArabic},     {{0x0900, 0x0963}, Script::kDevanagari},
    {{0x0966, 0x097F}, Script::kDevanagari}, {{0x0980, 0x09FE}, Script::kBengali},
    {{0x0A01, 0x0A76}, Script::kGurmukhi},   {{0x0A81, 0x0AFF}, Script::kGujarati},
    {{0x0B82, 0x0BFA}, Script::kTamil},      {{0x0C00, 0x0C7F}, Script::kTelugu},
    {{0x0E01, 0x0E3A}, Script::kThai},       {{0x0E40, 0x0E5B}, Script::kThai},
    {{0x10A0, 0x10FF}, Script::kGeorgian},   {{0x1100, 0x11FF}, Script::kEastAsian},
    {{0x1200, 0x139F}, Script::kEthiopic},   {{0x13A0, 0x13FD}, Script::kCherokee},
    {{0x1780, 0x17F9}, Script::kKhmer},      {{0x1E00, 0x1EFF}, Script::kLatin},
    {{0x1F00, 0x1FFE}, Script::kGreek},      {{0x2E80, 0x2FD5}, Script::kEastAsian},
    {{0x3041, 0x30FF}, Script::kEastAsian},  {{0x3105, 0x9FFF}, Script::kEastAsian},
    {{0xAC00, 0xD7FB}, Script::kEastAsian},
}};

bool Holds(const Range& range, uint32_t point) {
  return point >= range.first && point <= range.last;
}

template <size_t N>
bool AnyHolds(const std::array<Range, N>& ranges, uint32_t point) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [point](const Range& range) { return Holds(range, point); });
}

Script ScriptOf(uint32_t point) {
  const auto* found = std::find_if(kBlocks.begin(), kBlocks.end(), [point](const Block& block) {
    return Holds(block.range, point);
  });
  return found == kBlocks.end() ? Script::kCommon : found->script;
}

// The text is valid UTF-8.
uint32_t TakePoint(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint32_t point = length == 1 ? lead : lead & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length && i < text.size(); ++i) {
    point = (point << 6) | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  }
  text.remove_prefix(std::min(length, text.size()));
  return point;
}

std::string PointText(uint32_t point) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "U+%04X", point);
  return text.data();
}

class Walk {
 public:
  explicit Walk(const TextWarning& warn) : warn_(warn) {}

  void Expression(const Expr& expr) {
    if (expr.op == Op::kLiteral) Literal(expr.literal, expr.offset);
    if (!expr.name.empty() && expr.op != Op::kSum) Check(expr.name, true, expr.offset);
    for (const std::string& name : expr.names) Check(name, true, expr.offset);
    if (expr.op == Op::kLike) Check(PrintPattern(expr.pattern), false, expr.offset);
    for (const Expr* arg : expr.args) Expression(*arg);
  }
  void Literal(const Value& value, uint32_t offset) {
    if (value.kind() == Kind::kString) Check(value.string(), false, offset);
    if (value.kind() == Kind::kEntity) Check(value.entity().id, false, offset);
  }

 private:
  void Check(std::string_view text, bool name, uint32_t offset) {
    const std::string suspicion = SuspicionOf(text, name);
    if (!suspicion.empty()) warn_(offset, suspicion);
  }

  const TextWarning& warn_;
};

}  // namespace

std::string SuspicionOf(std::string_view text, bool name) {
  if (std::all_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x80; })) {
    return {};
  }
  const std::string what = (name ? "the name " : "the text ") + Quoted(text);
  Script script = Script::kCommon;
  bool mixed = false;
  std::string look_alike;
  for (std::string_view rest = text; !rest.empty();) {
    const uint32_t point = TakePoint(rest);
    if (AnyHolds(kBidirectional, point)) {
      return what + " holds the control " + PointText(point) +
             ", which turns around how the rest of the line is shown";
    }
    if (name && look_alike.empty() && AnyHolds(kLookAlikes, point)) look_alike = PointText(point);
    const Script next = ScriptOf(point);
    if (next == Script::kCommon) continue;
    mixed = mixed || (script != Script::kCommon && script != next);
    script = next;
  }
  if (!look_alike.empty()) {
    return what + " holds " + look_alike + ", which is invisible or looks like another letter";
  }
  return mixed ? what + " mixes letters of several scripts, some of which may look alike" : "";
}

void WarnOfText(const Policy& policy, const TextWarning& warn) {
  Walk walk(warn);
  for (const Scope* scope : {&policy.principal, &policy.action, &policy.resource}) {
    walk.Literal(scope->entity, scope->offset);
    for (const Value& uid : scope->list) walk.Literal(uid, scope->offset);
  }
  for (const Condition& condition : policy.conditions) walk.Expression(*condition.body);
}

}  // namespace portcullis::policy::cedar
