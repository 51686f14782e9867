#include "audit/protocol.h"

#include <algorithm>

#include "audit/bytes.h"

namespace portcullis::audit {
namespace {

constexpr size_t kHeader = 16;  // length u32, version u8, type u8, zero u16, correlation u64
constexpr size_t kMaxWords = 4096;
constexpr size_t kMaxProofText = 1 << 16;
constexpr size_t kMaxLeafBytes = 1 << 12;
constexpr size_t kMaxArguments = 16;
constexpr size_t kMaxArgument = 1 << 17;
constexpr size_t kMaxActText = 32u << 20;

// DO NOT CHANGE THESE ENUM VALUES: both ends of the socket must agree.
enum FrameType : uint8_t {
  kAppend = 1,
  kAck = 2,
  kStatusRequest = 3,
  kStatus = 4,
  kProofRequest = 5,
  kProof = 6,
  kAct = 7,
  kActReply = 8,
};

Error BadFrame(const char* why) {
  return Error{Code::kBadFrame, std::string("audit frame: ") + why};
}

std::string Frame(FrameType type, uint64_t correlation, std::string_view body) {
  std::string frame;
  frame.reserve(kHeader + body.size());
  ByteWriter out(frame);
  out.Put(static_cast<uint32_t>(kHeader + body.size()));
  out.Put(kProtocolVersion);
  out.Put(static_cast<uint8_t>(type));
  out.Put(uint16_t{0});
  out.Put(correlation);
  out.PutText(body);
  return frame;
}

Result<void> CheckEvent(const Event& event) {
  if (event.subject.size() > kMaxName || event.tenant.size() > kMaxName) {
    return Error{Code::kTooLarge, "event: subject or tenant is longer than 1024 bytes"};
  }
  if (event.tags.size() > kMaxTags) return Error{Code::kTooLarge, "event: more than 4 tags"};
  for (const std::string& tag : event.tags) {
    if (tag.size() > kMaxName) return Error{Code::kTooLarge, "event: a tag is longer than 1024 bytes"};
  }
  if (event.parts.size() > kMaxParts) return Error{Code::kTooLarge, "event: more than 6 parts"};
  if (event.jurisdiction.size() > kMaxName) return Error{Code::kTooLarge, "event: the jurisdiction is too long"};
  for (size_t i = 0; i < event.parts.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (event.parts[i].type == event.parts[j].type) {
        return Error{Code::kInvalidEvent, "event: two parts of one type"};
      }
    }
  }
  return Ok();
}

void PutEvent(ByteWriter& out, const Event& event) {
  out.Put(static_cast<uint8_t>(event.kind));
  out.PutBytes(event.request_id);
  out.Put(event.parent_seq);
  out.PutBytes(event.policy_hash);
  out.PutBytes(event.model_hash);
  out.Put(event.outcome);
  out.Put(event.retention_days);
  out.PutSized<uint16_t>(event.jurisdiction);
  out.PutSized<uint16_t>(event.subject);
  out.PutSized<uint16_t>(event.tenant);
  out.Put(static_cast<uint8_t>(event.tags.size()));
  for (const std::string& tag : event.tags) out.PutSized<uint16_t>(tag);
  out.Put(static_cast<uint8_t>(event.parts.size()));
  for (const Part& part : event.parts) {
    out.Put(static_cast<uint8_t>(part.type));
    out.PutSized<uint32_t>(part.bytes);
  }
}

Result<Event> GetEvent(ByteReader& in) {
  Event event;
  const auto kind = KindFromNumber(in.Get<uint8_t>());
  if (!kind) return BadFrame("unknown kind of event");
  event.kind = *kind;
  event.request_id = in.GetArray<16>();
  event.parent_seq = in.Get<uint64_t>();
  event.policy_hash = in.GetArray<32>();
  event.model_hash = in.GetArray<32>();
  event.outcome = in.Get<uint16_t>();
  event.retention_days = in.Get<uint16_t>();
  event.jurisdiction = in.GetSized<uint16_t>(kMaxName);
  event.subject = in.GetSized<uint16_t>(kMaxName);
  event.tenant = in.GetSized<uint16_t>(kMaxName);
  const size_t tags = in.Get<uint8_t>();
  if (tags > kMaxTags) return BadFrame("more than 4 tags");
  for (size_t i = 0; i < tags; ++i) event.tags.emplace_back(in.GetSized<uint16_t>(kMaxName));
  const size_t parts = in.Get<uint8_t>();
  if (parts > kMaxParts) return BadFrame("more than 6 parts");
  for (size_t i = 0; i < parts; ++i) {
    const auto type = PartFromNumber(in.Get<uint8_t>());
    if (!type || *type == PartType::kWrapSet) return BadFrame("unknown type of part");
    event.parts.push_back(Part{*type, std::string(in.GetSized<uint32_t>(kMaxFrame))});
  }
  if (in.failed()) return BadFrame("event is cut short or a field is too long");
  BOOST_OUTCOME_TRY(CheckEvent(event));
  return event;
}

Result<Append> ParseAppend(uint64_t correlation, std::string_view body) {
  ByteReader in(body);
  Append append{correlation, {}};
  const size_t count = in.Get<uint8_t>();
  if (count == 0 || count > kMaxEvents) return BadFrame("an append holds 1 to 16 events");
  append.events.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    BOOST_OUTCOME_TRY(Event event, GetEvent(in));
    append.events.push_back(std::move(event));
  }
  if (!in.Finished()) return BadFrame("bytes left over after the last event");
  return append;
}

Result<Ack> ParseAck(uint64_t correlation, std::string_view body) {
  ByteReader in(body);
  Ack ack;
  ack.correlation = correlation;
  const uint8_t durable = in.Get<uint8_t>();
  ack.durable = durable == 1;
  ack.error_code = in.Get<uint32_t>();
  ack.error = in.GetSized<uint16_t>(kMaxWords);
  const size_t count = in.Get<uint8_t>();
  if (durable > 1 || count > kMaxEvents) return BadFrame("malformed acknowledgement");
  for (size_t i = 0; i < count; ++i) {
    ack.seqs.push_back(in.Get<uint64_t>());
    ack.leaf_hashes.push_back(in.GetArray<32>());
  }
  ack.receipt = in.GetSized<uint16_t>(kMaxWords);
  if (!in.Finished()) return BadFrame("malformed acknowledgement");
  return ack;
}

Result<Status> ParseStatus(uint64_t correlation, std::string_view body) {
  ByteReader in(body);
  Status status;
  status.correlation = correlation;
  const uint8_t writable = in.Get<uint8_t>();
  status.writable = writable == 1;
  status.why_not = in.GetSized<uint16_t>(kMaxWords);
  status.origin = in.GetSized<uint16_t>(kMaxName);
  status.log_size = in.Get<uint64_t>();
  status.checkpoint_size = in.Get<uint64_t>();
  status.checkpoint_us = in.Get<uint64_t>();
  status.disk_free = in.Get<uint64_t>();
  status.disk_total = in.Get<uint64_t>();
  status.queued = in.Get<uint64_t>();
  if (!in.Finished() || writable > 1) return BadFrame("malformed status");
  return status;
}

Result<Proof> ParseProof(uint64_t correlation, std::string_view body) {
  ByteReader in(body);
  Proof proof;
  proof.correlation = correlation;
  proof.error_code = in.Get<uint32_t>();
  proof.error = in.GetSized<uint16_t>(kMaxWords);
  proof.text = in.GetSized<uint32_t>(kMaxProofText);
  proof.leaf = in.GetSized<uint16_t>(kMaxLeafBytes);
  if (!in.Finished()) return BadFrame("malformed proof");
  return proof;
}

Result<ActRequest> ParseAct(uint64_t correlation, std::string_view body) {
  ByteReader in(body);
  ActRequest act;
  act.correlation = correlation;
  act.name = in.GetSized<uint16_t>(kMaxName);
  const size_t count = in.Get<uint8_t>();
  if (count > kMaxArguments) return BadFrame("more than 16 arguments");
  for (size_t i = 0; i < count; ++i) {
    std::string key(in.GetSized<uint16_t>(kMaxName));
    std::string value(in.GetSized<uint32_t>(kMaxArgument));
    act.arguments.insert_or_assign(std::move(key), std::move(value));
  }
  if (!in.Finished()) return BadFrame("malformed act");
  return act;
}

Result<ActReply> ParseActReply(uint64_t correlation, std::string_view body) {
  ByteReader in(body);
  ActReply reply;
  reply.correlation = correlation;
  reply.error_code = in.Get<uint32_t>();
  reply.error = in.GetSized<uint16_t>(kMaxWords);
  reply.text = in.GetSized<uint32_t>(kMaxActText);
  if (!in.Finished()) return BadFrame("malformed reply to an act");
  return reply;
}

std::string_view Words(std::string_view text) { return text.substr(0, kMaxWords); }

}  // namespace

Result<std::string> EncodeAppend(uint64_t correlation, std::span<const Event> events) {
  if (events.empty() || events.size() > kMaxEvents) {
    return Error{Code::kTooLarge, "an append holds 1 to 16 events"};
  }
  size_t size = kHeader;
  for (const Event& event : events) {
    BOOST_OUTCOME_TRY(CheckEvent(event));
    for (const Part& part : event.parts) size += part.bytes.size();
  }
  constexpr size_t kOverhead = kMaxEvents * (256 + (2 + kMaxTags) * (kMaxName + 2));
  if (size + kOverhead > kMaxFrame) {
    return Error{Code::kTooLarge, "an append is limited to 64 MiB; shorten the recorded parts"};
  }
  std::string body;
  body.reserve(size + 1024);
  ByteWriter out(body);
  out.Put(static_cast<uint8_t>(events.size()));
  for (const Event& event : events) PutEvent(out, event);
  return Frame(kAppend, correlation, body);
}

std::string EncodeStatusRequest(uint64_t correlation) {
  return Frame(kStatusRequest, correlation, {});
}

std::string EncodeProofRequest(uint64_t correlation, uint64_t seq, std::string_view subject) {
  std::string body;
  ByteWriter out(body);
  out.Put(seq);
  out.PutSized<uint16_t>(subject.substr(0, kMaxName));
  return Frame(kProofRequest, correlation, body);
}

std::string EncodeAck(const Ack& ack) {
  std::string body;
  ByteWriter out(body);
  out.Put(static_cast<uint8_t>(ack.durable ? 1 : 0));
  out.Put(ack.error_code);
  out.PutSized<uint16_t>(Words(ack.error));
  out.Put(static_cast<uint8_t>(ack.seqs.size()));
  for (size_t i = 0; i < ack.seqs.size(); ++i) {
    out.Put(ack.seqs[i]);
    out.PutBytes(ack.leaf_hashes[i]);
  }
  out.PutSized<uint16_t>(Words(ack.receipt));
  return Frame(kAck, ack.correlation, body);
}

std::string EncodeStatus(const Status& status) {
  std::string body;
  ByteWriter out(body);
  out.Put(static_cast<uint8_t>(status.writable ? 1 : 0));
  out.PutSized<uint16_t>(Words(status.why_not));
  out.PutSized<uint16_t>(std::string_view(status.origin).substr(0, kMaxName));
  out.Put(status.log_size);
  out.Put(status.checkpoint_size);
  out.Put(status.checkpoint_us);
  out.Put(status.disk_free);
  out.Put(status.disk_total);
  out.Put(status.queued);
  return Frame(kStatus, status.correlation, body);
}

std::string EncodeProof(const Proof& proof) {
  std::string body;
  ByteWriter out(body);
  out.Put(proof.error_code);
  out.PutSized<uint16_t>(Words(proof.error));
  out.PutSized<uint32_t>(std::string_view(proof.text).substr(0, kMaxProofText));
  out.PutSized<uint16_t>(std::string_view(proof.leaf).substr(0, kMaxLeafBytes));
  return Frame(kProof, proof.correlation, body);
}

std::string EncodeAct(const ActRequest& request) {
  std::string body;
  ByteWriter out(body);
  out.PutSized<uint16_t>(std::string_view(request.name).substr(0, kMaxName));
  out.Put(static_cast<uint8_t>(std::min(request.arguments.size(), kMaxArguments)));
  size_t count = 0;
  for (const auto& [key, value] : request.arguments) {
    if (++count > kMaxArguments) break;
    out.PutSized<uint16_t>(std::string_view(key).substr(0, kMaxName));
    out.PutSized<uint32_t>(std::string_view(value).substr(0, kMaxArgument));
  }
  return Frame(kAct, request.correlation, body);
}

std::string EncodeActReply(const ActReply& reply) {
  std::string body;
  ByteWriter out(body);
  out.Put(reply.error_code);
  out.PutSized<uint16_t>(Words(reply.error));
  out.PutSized<uint32_t>(std::string_view(reply.text).substr(0, kMaxActText));
  return Frame(kActReply, reply.correlation, body);
}

void FrameReader::Feed(std::span<const char> bytes) {
  if (start_ == buffer_.size()) {
    buffer_.clear();
    start_ = 0;
  } else if (start_ > buffer_.size() / 2) {
    buffer_.erase(0, start_);
    start_ = 0;
  }
  buffer_.append(bytes.data(), bytes.size());
}

Result<std::optional<FrameReader::Raw>> FrameReader::NextRaw() {
  const std::string_view rest = std::string_view(buffer_).substr(start_);
  if (rest.size() < kHeader) return std::optional<Raw>();
  ByteReader in(rest.substr(0, kHeader));
  const size_t length = in.Get<uint32_t>();
  const uint8_t version = in.Get<uint8_t>();
  const uint8_t type = in.Get<uint8_t>();
  const uint16_t zero = in.Get<uint16_t>();
  const uint64_t correlation = in.Get<uint64_t>();
  if (version != kProtocolVersion) return BadFrame("unknown protocol version");
  if (zero != 0) return BadFrame("reserved bits are set");
  if (length < kHeader || length > kMaxFrame) return BadFrame("length out of bounds");
  if (rest.size() < length) return std::optional<Raw>();
  start_ += length;
  return std::optional<Raw>(Raw{type, correlation, rest.substr(kHeader, length - kHeader)});
}

Result<std::optional<ToAuditd>> FrameReader::NextRequest() {
  BOOST_OUTCOME_TRY(const auto raw, NextRaw());
  if (!raw) return std::optional<ToAuditd>();
  switch (raw->type) {
    case kAppend: {
      BOOST_OUTCOME_TRY(Append append, ParseAppend(raw->correlation, raw->body));
      return std::optional<ToAuditd>(std::move(append));
    }
    case kStatusRequest:
      if (!raw->body.empty()) return BadFrame("malformed status request");
      return std::optional<ToAuditd>(StatusRequest{raw->correlation});
    case kProofRequest: {
      ByteReader in(raw->body);
      const uint64_t seq = in.Get<uint64_t>();
      std::string subject(in.GetSized<uint16_t>(kMaxName));
      if (!in.Finished()) return BadFrame("malformed proof request");
      return std::optional<ToAuditd>(ProofRequest{raw->correlation, seq, std::move(subject)});
    }
    case kAct: {
      BOOST_OUTCOME_TRY(ActRequest act, ParseAct(raw->correlation, raw->body));
      return std::optional<ToAuditd>(std::move(act));
    }
    default:
      return BadFrame("not a request");
  }
}

Result<std::optional<FromAuditd>> FrameReader::NextReply() {
  BOOST_OUTCOME_TRY(const auto raw, NextRaw());
  if (!raw) return std::optional<FromAuditd>();
  switch (raw->type) {
    case kAck: {
      BOOST_OUTCOME_TRY(Ack ack, ParseAck(raw->correlation, raw->body));
      return std::optional<FromAuditd>(std::move(ack));
    }
    case kStatus: {
      BOOST_OUTCOME_TRY(Status status, ParseStatus(raw->correlation, raw->body));
      return std::optional<FromAuditd>(std::move(status));
    }
    case kProof: {
      BOOST_OUTCOME_TRY(Proof proof, ParseProof(raw->correlation, raw->body));
      return std::optional<FromAuditd>(std::move(proof));
    }
    case kActReply: {
      BOOST_OUTCOME_TRY(ActReply reply, ParseActReply(raw->correlation, raw->body));
      return std::optional<FromAuditd>(std::move(reply));
    }
    default:
      return BadFrame("not a reply");
  }
}

}  // namespace portcullis::audit
