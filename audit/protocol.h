// Frames on the Unix socket between the gateway (or the CLI) and portcullis-auditd: pure encoding and
// decoding, no I/O. Byte layout: PROTOCOL in FORMAT.md. All decoding is bounded: kMaxFrame, kMaxEvents,
// field sizes. A decoding error is final for the connection: close it. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "audit/error.h"
#include "audit/event.h"

namespace portcullis::audit {

inline constexpr uint8_t kProtocolVersion = 2;
inline constexpr size_t kMaxFrame = 64u << 20;  // bytes, header included
inline constexpr size_t kMaxEvents = 16;        // per append
inline constexpr size_t kMaxTags = 4;
inline constexpr size_t kMaxParts = 6;
inline constexpr size_t kMaxName = 1024;        // subject, tenant, one tag

// One append is one atomic batch of events that become durable together. The second and later events
// may use parent_seq = kParentFirst.
struct Append {
  uint64_t correlation = 0;
  std::vector<Event> events;
};

struct Ack {
  uint64_t correlation = 0;
  bool durable = false;
  uint32_t error_code = 0;  // a Code of error.h when not durable
  std::string error;
  std::vector<uint64_t> seqs;
  std::vector<Hash> leaf_hashes;
  std::string receipt;  // printable and signed: seq and leaf hash of the first event (proof.h)
};

struct StatusRequest {
  uint64_t correlation = 0;
};

struct Status {
  uint64_t correlation = 0;
  bool writable = false;         // an append would be taken now
  std::string why_not;           // words, when not writable
  std::string origin;
  uint64_t log_size = 0;         // durable records
  uint64_t checkpoint_size = 0;  // records under the last signed checkpoint
  uint64_t checkpoint_us = 0;    // its time, microseconds since 1970
  uint64_t disk_free = 0, disk_total = 0;  // bytes
  uint64_t queued = 0;           // appends waiting; what is being written counts as one
};

struct ProofRequest {
  uint64_t correlation = 0;
  uint64_t seq = 0;
  std::string subject{};  // not empty: only when the record is this subject's; otherwise kNotFound
};

struct Proof {
  uint64_t correlation = 0;
  uint32_t error_code = 0;
  std::string error;
  std::string text;  // C2SP tlog-proof
  std::string leaf{};  // of the record
};

// An act of an administrator or an auditor on the log itself: release, hold, lift, erase, keys, witness
// (PROTOCOL in FORMAT.md says which and with what arguments). Recorded before it is done.
struct ActRequest {
  uint64_t correlation = 0;
  std::string name;
  std::map<std::string, std::string> arguments;
};

struct ActReply {
  uint64_t correlation = 0;
  uint32_t error_code = 0;
  std::string error;
  std::string text;  // what the act gives: a release file, JSON, a request to a witness
};

using ToAuditd = std::variant<Append, StatusRequest, ProofRequest, ActRequest>;
using FromAuditd = std::variant<Ack, Status, Proof, ActReply>;

Result<std::string> EncodeAppend(uint64_t correlation, std::span<const Event> events);
std::string EncodeStatusRequest(uint64_t correlation);
std::string EncodeProofRequest(uint64_t correlation, uint64_t seq, std::string_view subject = {});
std::string EncodeAct(const ActRequest& request);
std::string EncodeAck(const Ack& ack);
std::string EncodeStatus(const Status& status);
std::string EncodeProof(const Proof& proof);
std::string EncodeActReply(const ActReply& reply);

// Collects bytes from a stream and hands out whole frames. Holds at most one frame more than it was
// fed; a frame that announces more than kMaxFrame is refused from its header alone.
class FrameReader {
 public:
  void Feed(std::span<const char> bytes);
  // Empty optional: more bytes are needed.
  Result<std::optional<ToAuditd>> NextRequest();
  Result<std::optional<FromAuditd>> NextReply();
  size_t buffered() const { return buffer_.size() - start_; }

 private:
  struct Raw {
    uint8_t type;
    uint64_t correlation;
    std::string_view body;  // into buffer_, valid until the next Feed
  };
  Result<std::optional<Raw>> NextRaw();

  std::string buffer_;
  size_t start_ = 0;
};

}  // namespace portcullis::audit
