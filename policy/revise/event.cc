#include "policy/revise/event.h"

#include <cstring>

namespace portcullis::policy::revise {
namespace {

constexpr std::string_view kMagic = "portcullis policy event 1";
constexpr size_t kMaxDetail = 4096;
constexpr uint64_t kMaxTime = 253402300799;  // the end of the year 9999

std::string_view Bytes(const auto& array) {
  return {reinterpret_cast<const char*>(array.data()), array.size()};
}

template <size_t kSize>
Result<void> ReadArray(ByteReader& reader, std::array<uint8_t, kSize>& out) {
  BOOST_OUTCOME_TRY(const std::string_view bytes, reader.Text(kSize));
  if (bytes.size() != kSize) {
    return Error{Code::kRevisionDamaged, "event: a hash, key or signature has a wrong length"};
  }
  std::memcpy(out.data(), bytes.data(), kSize);
  return boost::outcome_v2::success();
}

}  // namespace

std::string_view NameOf(EventKind kind) {
  switch (kind) {
    case EventKind::kSeed:
      return "seed";
    case EventKind::kDraft:
      return "draft";
    case EventKind::kEdit:
      return "edit";
    case EventKind::kCheck:
      return "check";
    case EventKind::kPropose:
      return "propose";
    case EventKind::kApprove:
      return "approve";
    case EventKind::kActivate:
      return "activate";
    case EventKind::kKeep:
      return "keep";
    case EventKind::kRollback:
      return "rollback";
    case EventKind::kWithdraw:
      return "withdraw";
  }
  return "unknown";
}

std::optional<EventKind> EventKindFromNumber(uint64_t number) {
  if (number < 1 || number > 10) return std::nullopt;
  return static_cast<EventKind>(number);
}

std::string Encode(const Event& event) {
  ByteWriter writer;
  writer.Text(kMagic)
      .Number(event.seq)
      .Number(static_cast<uint64_t>(event.time))
      .Number(static_cast<uint64_t>(event.kind))
      .Number(event.revision)
      .Text(AsText(event.content))
      .Text(event.actor)
      .Number(static_cast<uint64_t>(event.until))
      .Text(event.detail)
      .Number(event.statement ? 1 : 0);
  if (event.statement) {
    writer.Text(event.statement->text)
        .Text(Bytes(event.statement->key))
        .Text(Bytes(event.statement->signature))
        .Number(event.statement->by_appliance ? 1 : 0);
  }
  writer.Text(AsText(event.previous));
  return writer.Take();
}

Result<Event> DecodeEvent(std::string_view document) {
  ByteReader reader(document, "event");
  Event event;
  BOOST_OUTCOME_TRY(reader.Expect(kMagic));
  BOOST_OUTCOME_TRY(event.seq, reader.Number());
  BOOST_OUTCOME_TRY(const uint64_t time, reader.NumberUpTo(kMaxTime));
  event.time = static_cast<int64_t>(time);
  BOOST_OUTCOME_TRY(const uint64_t kind, reader.Number());
  const auto known = EventKindFromNumber(kind);
  if (!known) return Error{Code::kRevisionDamaged, "event: of an unknown kind"};
  event.kind = *known;
  BOOST_OUTCOME_TRY(event.revision, reader.Number());
  BOOST_OUTCOME_TRY(ReadArray(reader, event.content));
  BOOST_OUTCOME_TRY(event.actor, reader.Text(64));
  BOOST_OUTCOME_TRY(const uint64_t until, reader.NumberUpTo(kMaxTime));
  event.until = static_cast<int64_t>(until);
  BOOST_OUTCOME_TRY(event.detail, reader.Text(kMaxDetail));
  BOOST_OUTCOME_TRY(const uint64_t has_statement, reader.NumberUpTo(1));
  if (has_statement == 1) {
    SignedStatement& statement = event.statement.emplace();
    BOOST_OUTCOME_TRY(statement.text, reader.Text(1024));
    BOOST_OUTCOME_TRY(ReadArray(reader, statement.key));
    BOOST_OUTCOME_TRY(ReadArray(reader, statement.signature));
    BOOST_OUTCOME_TRY(const uint64_t by_appliance, reader.NumberUpTo(1));
    statement.by_appliance = by_appliance == 1;
  }
  BOOST_OUTCOME_TRY(ReadArray(reader, event.previous));
  BOOST_OUTCOME_TRY(reader.End());
  return event;
}

SealedEvent Seal(Event event, const Signer& appliance) {
  SealedEvent sealed;
  sealed.hash = Sha256(Encode(event));
  sealed.signature = appliance.Sign(AsText(sealed.hash));
  sealed.event = std::move(event);
  return sealed;
}

std::string StoreId(const Hash& first) { return Hex(first).substr(0, 32); }

}  // namespace portcullis::policy::revise
