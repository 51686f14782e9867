#include "audit/event.h"

#include <utility>

namespace portcullis::audit {
namespace {

constexpr std::array<std::pair<Kind, std::string_view>, 18> kKinds = {{
    {Kind::kReq, "REQ"},           {Kind::kDecision, "DECISION"},   {Kind::kResp, "RESP"},
    {Kind::kAbort, "ABORT"},       {Kind::kAdmin, "ADMIN"},         {Kind::kConfig, "CONFIG"},
    {Kind::kKey, "KEY"},           {Kind::kRelease, "RELEASE"},     {Kind::kAuditRead, "AUDIT_READ"},
    {Kind::kErase, "ERASE"},       {Kind::kHold, "HOLD"},           {Kind::kHeartbeat, "HEARTBEAT"},
    {Kind::kBoot, "BOOT"},         {Kind::kStop, "STOP"},           {Kind::kClock, "CLOCK"},
    {Kind::kRecovery, "RECOVERY"}, {Kind::kAbuse, "ABUSE"},         {Kind::kSiege, "SIEGE"},
}};

constexpr std::array<std::pair<PartType, std::string_view>, 7> kParts = {{
    {PartType::kMetadata, "metadata"},
    {PartType::kPrompt, "prompt"},
    {PartType::kAnswer, "answer"},
    {PartType::kReasoning, "reasoning"},
    {PartType::kTools, "tools"},
    {PartType::kDecision, "decision"},
    {PartType::kWrapSet, "wrap-set"},
}};

}  // namespace

std::string_view KindName(Kind kind) {
  for (const auto& [value, name] : kKinds) {
    if (value == kind) return name;
  }
  return "UNKNOWN";
}

std::optional<Kind> KindFromNumber(uint8_t number) {
  for (const auto& [value, name] : kKinds) {
    if (static_cast<uint8_t>(value) == number) return value;
  }
  return std::nullopt;
}

std::optional<Kind> KindFromName(std::string_view name) {
  for (const auto& [value, known] : kKinds) {
    if (known == name) return value;
  }
  return std::nullopt;
}

bool IsInternal(Kind kind) {
  switch (kind) {
    case Kind::kKey:
    case Kind::kRelease:
    case Kind::kErase:
    case Kind::kHold:
    case Kind::kHeartbeat:
    case Kind::kBoot:
    case Kind::kStop:
    case Kind::kClock:
    case Kind::kRecovery:
      return true;
    default:
      return false;
  }
}

bool UsesReserve(Kind kind) { return kind == Kind::kAdmin || kind == Kind::kConfig || IsInternal(kind); }

std::string_view PartName(PartType type) {
  for (const auto& [value, name] : kParts) {
    if (value == type) return name;
  }
  return "unknown";
}

std::optional<PartType> PartFromNumber(uint8_t number) {
  for (const auto& [value, name] : kParts) {
    if (static_cast<uint8_t>(value) == number) return value;
  }
  return std::nullopt;
}

std::optional<PartType> PartFromName(std::string_view name) {
  for (const auto& [value, known] : kParts) {
    if (known == name) return value;
  }
  return std::nullopt;
}

std::optional<PartType> ShreddedPart(uint16_t outcome) {
  if (outcome <= kShredBase || outcome > kShredBase + UINT8_MAX) return std::nullopt;
  const auto part = PartFromNumber(static_cast<uint8_t>(outcome - kShredBase));
  return part == PartType::kWrapSet ? std::nullopt : part;
}

std::optional<uint32_t> DestroyedYear(uint16_t outcome) {
  return outcome >= kFirstYear ? std::optional<uint32_t>(outcome) : std::nullopt;
}

}  // namespace portcullis::audit
