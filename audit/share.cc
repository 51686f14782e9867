#include "audit/share.h"

#include <sodium.h>

#include <algorithm>
#include <utility>

#include "audit/bytes.h"
#include "audit/file.h"
#include "audit/note.h"
#include "audit/segment.h"

namespace portcullis::audit {
namespace {

constexpr std::string_view kFormat = "portcullis audit share v";
constexpr std::string_view kHeader = "portcullis audit share v1\n";
constexpr size_t kMaxSealed = 16u << 20;
constexpr size_t kMaxShareFile = 24u << 20;

Error Bad(const std::string& why) { return Error{Code::kTampered, "share file: " + why}; }

Result<AuditorKey> PublicOf(const certs::SecretBytes& secret) {
  AuditorKey key;
  if (secret.size() == kKeySize && crypto_scalarmult_base(key.data(), secret.data()) == 0) return key;
  return Error{Code::kKeys, "the auditor key is not an X25519 secret key"};
}

// One line, without control characters: it is shown to whoever opens the file, and anybody may have made that.
bool IsReason(std::string_view text) {
  const auto at = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  for (size_t i = 0; i < text.size(); ++i) {
    const bool c0 = at(i) < 0x20, c1 = at(i) == 0xc2 && i + 1 < text.size() && at(i + 1) < 0xa0;
    if (c0 || c1 || at(i) == 0x7f) return false;
  }
  return !text.empty() && text.size() <= kMaxShareReason;
}

bool Names(const std::vector<uint64_t>& seqs, uint64_t seq) { return std::binary_search(seqs.begin(), seqs.end(), seq); }

}  // namespace

ShareMaker::ShareMaker(std::string_view origin, const certs::SecretBytes& secret, const AuditorKey& own, const AuditorKey& to)
    : origin_(origin), secret_(&secret), from_(KeyIdOf(own)), to_(to), halves_(kMaxShareChains * kKeySize) {}

Result<ShareMaker> ShareMaker::Make(std::string_view origin, const certs::SecretBytes& secret, const AuditorKey& to) {
  BOOST_OUTCOME_TRY(const AuditorKey own, PublicOf(secret));
  if (own == to) return Error{Code::kKeys, "the share is for the key that makes it: it must go to the other auditor's"};
  return ShareMaker(origin, secret, own, to);
}

Result<void> ShareMaker::Add(const Leaf& leaf, std::string_view key_payload, SubjectKeySource& keys) {
  if (records_ >= kMaxShareRecords) {
    return Error{Code::kTooLarge, "a share file holds " + std::to_string(kMaxShareRecords) + " records: make several"};
  }
  auto found = chains_.find(leaf.chain);
  if (found == chains_.end()) {
    if (chains_.size() >= kMaxShareChains) {
      return Error{Code::kTooLarge, "a share file holds " + std::to_string(kMaxShareChains) + " chains: make several"};
    }
    if (key_payload.size() <= kPartEntrySize) return Error{Code::kTampered, "wrap set: missing"};
    BOOST_OUTCOME_TRY(const SubjectKey subject, keys.KeyOf(SubjectKeyOf(leaf)));
    const WrapContext context{OriginId(origin_), SubjectKeyOf(leaf), leaf.epoch, leaf.chain};
    BOOST_OUTCOME_TRY(const WrapHalf half, OpenHalf(key_payload.substr(kPartEntrySize), context, subject.wrap(), *secret_,
                                                    KeyIdOf(to_)));
    const size_t at = chains_.size() * kKeySize;
    std::copy(half.half.bytes().begin(), half.half.bytes().end(), halves_.data() + at);
    found = chains_.emplace(leaf.chain, Half{context, half.group, at, {}}).first;
  }
  if (found->second.seqs.insert(leaf.seq).second) ++records_;
  return Ok();
}

Result<std::string> ShareMaker::Seal(uint64_t made_us, std::string_view reason) const {
  if (!IsReason(reason)) {
    return Error{Code::kInvalidArgument, "the reason must be one line of 1 to " + std::to_string(kMaxShareReason) + " bytes"};
  }
  std::string text;  // with zeros in place of the halves
  std::vector<std::pair<size_t, size_t>> places;
  ByteWriter out(text);
  out.PutBytes(OriginId(origin_));
  out.PutBytes(from_);
  out.Put(made_us);
  out.PutSized<uint16_t>(reason);
  out.Put(static_cast<uint32_t>(chains_.size()));
  for (const auto& [chain, half] : chains_) {
    out.PutBytes(half.context.key.subject);
    out.Put(half.context.key.retention);
    out.Put(half.context.key.period);
    out.Put(half.context.epoch);
    out.Put(chain);
    out.Put(half.group);
    places.emplace_back(text.size(), half.at);
    text.append(kKeySize, '\0');
    out.Put(static_cast<uint32_t>(half.seqs.size()));
    for (const uint64_t seq : half.seqs) out.Put(seq);
  }
  certs::SecretBytes plain(text.size());
  std::copy(text.begin(), text.end(), plain.data());
  for (const auto& [at, from] : places) std::copy_n(halves_.data() + from, kKeySize, plain.data() + at);
  std::string sealed(plain.size() + crypto_box_SEALBYTES, '\0');
  crypto_box_seal(reinterpret_cast<uint8_t*>(sealed.data()), plain.data(), plain.size(), to_.data());
  return std::string(kHeader) + origin_ + "\n" + Hex(KeyIdOf(to_)) + "\n" + Base64(AsBytes(sealed)) + "\n";
}

Result<ShareHead> Shares::Add(std::string_view file, std::string_view origin, const certs::SecretBytes& auditor_secret) {
  if (!file.starts_with(kHeader)) {
    return Bad(file.starts_with(kFormat) ? "another version of the format (this program reads version 1)" : "unknown format");
  }
  file.remove_prefix(kHeader.size());
  std::string_view of, key_id, body;
  if (!TakeLine(file, of) || !TakeLine(file, key_id) || !TakeLine(file, body)) return Bad("cut short");
  if (!file.empty()) return Bad("something follows its last line");
  if (of != origin) return Bad("it belongs to another log");
  BOOST_OUTCOME_TRY(const AuditorKey own, PublicOf(auditor_secret));
  const bool is_id = key_id.size() == 2 * sizeof(AuditorKeyId) && key_id.find_first_not_of("0123456789abcdef") == key_id.npos;
  if (!is_id) return Bad("its third line is no key id");
  if (key_id != Hex(KeyIdOf(own))) {
    return Error{Code::kOtherAuditor, "the share file is for the auditor key " + std::string(key_id)};
  }
  BOOST_OUTCOME_TRY(const std::string sealed, FromBase64(body, kMaxSealed));
  if (sealed.size() <= crypto_box_SEALBYTES) return Bad("cut short");
  certs::SecretBytes plain(sealed.size() - crypto_box_SEALBYTES);
  if (crypto_box_seal_open(plain.data(), AsBytes(sealed).data(), sealed.size(), own.data(), auditor_secret.data()) != 0) {
    return Bad("it does not open under this auditor key");
  }
  ByteReader in(AsText(plain.bytes()));
  if (in.GetArray<16>() != OriginId(origin)) return Bad("it belongs to another log");
  ShareHead head;
  head.from = in.GetArray<8>();
  head.made_us = in.Get<uint64_t>();
  head.reason = in.GetSized<uint16_t>(kMaxShareReason);
  const uint32_t count = in.Get<uint32_t>();
  if (in.failed() || count == 0 || count > kMaxShareChains || !IsReason(head.reason)) return Bad("malformed head");
  std::vector<Half> halves;
  uint64_t last_chain = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const auto malformed = [i](const char* why) { return Bad("chain " + std::to_string(i) + " of the file: " + why); };
    Half half;
    half.from = head.from;
    half.context.origin = OriginId(origin);
    half.context.key.subject = in.GetArray<16>();
    half.context.key.retention = in.Get<uint16_t>();
    half.context.key.period = in.Get<uint16_t>();
    half.context.epoch = in.Get<uint32_t>();
    half.context.chain = in.Get<uint64_t>();
    half.group = in.Get<uint8_t>();
    const std::string_view secret = in.Take(kKeySize);
    const uint32_t seqs = in.Get<uint32_t>();
    if (in.failed() || in.left() / sizeof(uint64_t) < seqs) return malformed("cut short");
    if (half.context.chain <= last_chain) return malformed("out of order");
    if (seqs == 0 || (head.records += seqs) > kMaxShareRecords) return malformed("no records, or too many");
    last_chain = half.context.chain;
    half.seqs.reserve(seqs);
    for (uint64_t last = last_chain; half.seqs.size() < seqs;) {
      const uint64_t seq = in.Get<uint64_t>();
      if (seq <= last) return malformed("its records are out of order");
      half.seqs.push_back(last = seq);
    }
    half.half = AsBytes(secret);
    halves.push_back(std::move(half));
  }
  if (!in.Finished()) return Bad("wrong size");
  // One of the two is forged. Which, only a record tells: neither may stand before the other.
  for (const Half& half : halves) {
    const auto [begin, end] = halves_.equal_range(half.context.chain);
    const bool differs = std::any_of(begin, end, [&half](const auto& entry) {
      const Half& other = entry.second;
      return other.context == half.context && other.group == half.group && other.from == half.from &&
             sodium_memcmp(other.half.data(), half.half.data(), kKeySize) != 0;
    });
    if (differs) {
      return Bad("it contradicts another one given, in chain " + std::to_string(half.context.chain) + " of the key " +
                 Hex(half.from) + ": one of the two is not that key's; give each alone");
    }
  }
  for (Half& half : halves) halves_.emplace(half.context.chain, std::move(half));
  contents_.push_back(std::move(plain));
  return head;
}

Result<ShareHead> Shares::AddFile(const std::filesystem::path& file, std::string_view origin,
                                  std::span<const certs::SecretBytes* const> auditor_secrets) {
  BOOST_OUTCOME_TRY(const std::string text, ReadFile(file, kMaxShareFile));
  Error why{Code::kKeys, "no auditor key was given (--auditor-key)"};
  for (const certs::SecretBytes* secret : auditor_secrets) {
    auto added = Add(text, origin, *secret);
    if (added) return added;
    why = std::move(added.error());
    if (why.code != Code::kOtherAuditor) break;
  }
  return Error{why.code, "`" + file.string() + "`: " + why.message +
                             (why.code == Code::kOtherAuditor ? ", which is none of those given" : "")};
}

bool Shares::Covers(uint64_t chain, uint64_t seq) const {
  const auto [begin, end] = halves_.equal_range(chain);
  return std::any_of(begin, end, [seq](const auto& entry) { return Names(entry.second.seqs, seq); });
}

HalfOf Shares::HalvesFor(const WrapContext& context, uint64_t seq) const {
  return [this, context, seq](uint8_t group, const AuditorKeyId& auditor) -> std::span<const uint8_t> {
    const auto [begin, end] = halves_.equal_range(context.chain);
    const auto found = std::find_if(begin, end, [&](const auto& entry) {
      const Half& half = entry.second;
      return half.context == context && half.group == group && half.from == auditor && Names(half.seqs, seq);
    });
    return found == end ? std::span<const uint8_t>() : found->second.half;
  };
}

}  // namespace portcullis::audit
