// The wrap set of a chain. One wrap: crypto_box_seal to the auditor of (key ‖ context), and around it
// XChaCha20-Poly1305 under the subject's key. In two-person mode every pair of auditors has a group of
// two wraps: a random mask, and the chain's key XOR that mask; one of them alone tells nothing.

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "audit/bytes.h"
#include "audit/merkle.h"
#include "audit/seal.h"

namespace portcullis::audit {
namespace {

constexpr size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr uint8_t kWrapVersion = 2;
constexpr size_t kContextSize = 16 + 16 + 2 + 2 + 4 + 8;
constexpr size_t kBoxSize = kKeySize + kContextSize + crypto_box_SEALBYTES;
constexpr size_t kWrapSize = kBoxSize + kTag;
constexpr size_t kEntrySize = 1 + sizeof(AuditorKeyId) + kNonce + kWrapSize;
constexpr size_t kMaxWraps = 32;
constexpr size_t kJurisdictionSize = 16;

std::string EncodeContext(const WrapContext& context) {
  std::string text;
  ByteWriter out(text);
  out.PutBytes(context.origin);
  out.PutBytes(context.key.subject);
  out.Put(context.key.retention);
  out.Put(context.key.period);
  out.Put(context.epoch);
  out.Put(context.chain);
  return text;
}

Error Damaged(const char* why) { return Error{Code::kTampered, std::string("wrap set: ") + why}; }

std::string BoundTo(std::string_view context, uint8_t group, const AuditorKeyId& id) {
  std::string data(context);
  data.push_back(static_cast<char>(group));
  return data.append(AsText(id));
}

void PutWrap(ByteWriter& out, std::string_view context, uint8_t group, const AuditorKey& auditor,
             std::span<const uint8_t> secret, std::span<const uint8_t> subject_key) {
  certs::SecretBytes plain(kKeySize + kContextSize);
  std::memcpy(plain.data(), secret.data(), kKeySize);
  std::memcpy(plain.data() + kKeySize, context.data(), context.size());
  const AuditorKeyId id = KeyIdOf(auditor);
  std::array<uint8_t, kNonce> nonce;
  randombytes_buf(nonce.data(), nonce.size());
  std::array<uint8_t, kWrapSize> wrap;
  crypto_box_seal(wrap.data(), plain.data(), plain.size(), auditor.data());
  const std::string data = BoundTo(context, group, id);
  crypto_aead_xchacha20poly1305_ietf_encrypt(wrap.data(), nullptr, wrap.data(), kBoxSize,
                                             AsBytes(data).data(), data.size(), nullptr, nonce.data(),
                                             subject_key.data());
  out.Put(group);
  out.PutBytes(id);
  out.PutBytes(nonce);
  out.PutBytes(wrap);
}

struct Wrap {
  uint8_t group = 0;
  AuditorKeyId id{};
  std::array<uint8_t, kNonce> nonce{};
  std::array<uint8_t, kWrapSize> sealed{};
};

Wrap GetWrap(ByteReader& in) {
  Wrap wrap;
  wrap.group = in.Get<uint8_t>();
  wrap.id = in.GetArray<8>();
  wrap.nonce = in.GetArray<kNonce>();
  wrap.sealed = in.GetArray<kWrapSize>();
  return wrap;
}

constexpr size_t kHeadSize = 1 + kContextSize + kJurisdictionSize + 1 + 1;

Result<certs::SecretBytes> OpenWrap(const Wrap& wrap, std::string_view context,
                                    std::span<const uint8_t> subject_key,
                                    const certs::SecretBytes& auditor_secret,
                                    const AuditorKey& auditor_public) {
  const std::string data = BoundTo(context, wrap.group, wrap.id);
  std::array<uint8_t, kBoxSize> box;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          box.data(), nullptr, nullptr, wrap.sealed.data(), wrap.sealed.size(), AsBytes(data).data(),
          data.size(), wrap.nonce.data(), subject_key.data()) != 0) {
    return Damaged("it does not open under this subject key");
  }
  certs::SecretBytes plain(kKeySize + kContextSize);
  if (crypto_box_seal_open(plain.data(), box.data(), box.size(), auditor_public.data(),
                           auditor_secret.data()) != 0 ||
      std::memcmp(plain.data() + kKeySize, context.data(), context.size()) != 0) {
    return Damaged("it does not open under this auditor key");
  }
  return certs::SecretBytes::CopyOf(plain.bytes().first(kKeySize));
}

Result<AuditorKey> PublicOf(const certs::SecretBytes& secret) {
  AuditorKey key;
  if (secret.size() == kKeySize && crypto_scalarmult_base(key.data(), secret.data()) == 0) return key;
  return Error{Code::kKeys, "the auditor key is not an X25519 secret key"};
}

}  // namespace

std::string MakeWrapSet(const WrapContext& context, std::string_view jurisdiction,
                        std::span<const uint8_t> chain_0, std::span<const uint8_t> subject_key,
                        const SealTo& to) {
  const std::string bound = EncodeContext(context);
  const size_t n = to.auditors.size();
  std::string text;
  ByteWriter out(text);
  out.Put(kWrapVersion);
  out.PutText(bound);
  std::string padded(jurisdiction.substr(0, kJurisdictionSize));
  padded.resize(kJurisdictionSize, '\0');
  out.PutText(padded);
  out.Put(static_cast<uint8_t>(to.two_person ? 2 : 1));
  out.Put(static_cast<uint8_t>(to.two_person ? n * (n - 1) : n));
  uint8_t group = 0;
  if (!to.two_person) {
    for (const AuditorKey& auditor : to.auditors) PutWrap(out, bound, group++, auditor, chain_0, subject_key);
    return text;
  }
  certs::SecretBytes mask(kKeySize), rest(kKeySize);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i + 1; j < n; ++j, ++group) {
      randombytes_buf(mask.data(), mask.size());
      for (size_t k = 0; k < kKeySize; ++k) rest.data()[k] = chain_0[k] ^ mask.data()[k];
      PutWrap(out, bound, group, to.auditors[i], mask.bytes(), subject_key);
      PutWrap(out, bound, group, to.auditors[j], rest.bytes(), subject_key);
    }
  }
  return text;
}

Result<WrapSetHead> ReadWrapSet(std::string_view wrap_set) {
  ByteReader in(wrap_set);
  const uint8_t version = in.Get<uint8_t>();
  WrapSetHead head;
  head.context.origin = in.GetArray<16>();
  head.context.key.subject = in.GetArray<16>();
  head.context.key.retention = in.Get<uint16_t>();
  head.context.key.period = in.Get<uint16_t>();
  head.context.epoch = in.Get<uint32_t>();
  head.context.chain = in.Get<uint64_t>();
  head.jurisdiction = in.Take(kJurisdictionSize);
  const uint8_t mode = in.Get<uint8_t>();
  const size_t count = in.Get<uint8_t>();
  if (in.failed() || version != kWrapVersion || mode < 1 || mode > 2 || count == 0 || count > kMaxWraps ||
      in.left() != count * kEntrySize) {
    return Damaged("it is malformed");
  }
  head.jurisdiction.resize(std::min(head.jurisdiction.find('\0'), head.jurisdiction.size()));
  head.two_person = mode == 2;
  for (size_t i = 0; i < count; ++i) head.auditors.push_back(GetWrap(in).id);
  return head;
}

Result<certs::SecretBytes> OpenWrapSet(std::string_view wrap_set, const WrapContext& expected,
                                       std::span<const uint8_t> subject_key,
                                       std::span<const certs::SecretBytes* const> auditor_secrets,
                                       const HalfOf& half_of) {
  BOOST_OUTCOME_TRY(const WrapSetHead head, ReadWrapSet(wrap_set));
  if (!(head.context == expected)) return Damaged("it belongs to another record");
  struct Holder {
    AuditorKey key;
    const certs::SecretBytes* secret;
  };
  std::map<AuditorKeyId, Holder> holders;
  for (const certs::SecretBytes* secret : auditor_secrets) {
    BOOST_OUTCOME_TRY(const AuditorKey key, PublicOf(*secret));
    holders[KeyIdOf(key)] = Holder{key, secret};
  }
  const std::string bound = EncodeContext(head.context);
  ByteReader in(wrap_set.substr(kHeadSize));
  std::map<uint8_t, certs::SecretBytes> halves;
  std::set<AuditorKeyId> met;
  for (size_t i = 0; i < head.auditors.size(); ++i) {
    const Wrap wrap = GetWrap(in);
    const auto holder = holders.find(wrap.id);
    certs::SecretBytes secret;
    if (holder != holders.end()) {
      met.insert(wrap.id);
      BOOST_OUTCOME_TRY(secret, OpenWrap(wrap, bound, subject_key, *holder->second.secret, holder->second.key));
    } else if (const auto half = head.two_person && half_of ? half_of(wrap.group, wrap.id) : std::span<const uint8_t>();
               half.size() == kKeySize) {
      secret = certs::SecretBytes::CopyOf(half);
    } else {
      continue;
    }
    if (!head.two_person) return secret;
    const auto half = halves.find(wrap.group);
    if (half == halves.end()) {
      halves[wrap.group] = std::move(secret);
      continue;
    }
    for (size_t k = 0; k < kKeySize; ++k) secret.data()[k] ^= half->second.data()[k];
    return secret;
  }
  if (met.size() > 1) return Damaged("no two of the wraps for the auditor keys given belong together");
  return Error{Code::kOtherAuditor, met.empty() ? "this record is not sealed to the auditor key given"
                                                : "this record needs the keys of two auditors, or the other one's share"};
}

Result<WrapHalf> OpenHalf(std::string_view wrap_set, const WrapContext& expected, std::span<const uint8_t> subject_key,
                          const certs::SecretBytes& auditor_secret, const AuditorKeyId& other) {
  BOOST_OUTCOME_TRY(const WrapSetHead head, ReadWrapSet(wrap_set));
  if (!(head.context == expected)) return Damaged("it belongs to another record");
  BOOST_OUTCOME_TRY(const AuditorKey own, PublicOf(auditor_secret));
  if (!head.two_person) return Error{Code::kOtherAuditor, "this record opens with one auditor's key: there is nothing to share"};
  const AuditorKeyId own_id = KeyIdOf(own);
  std::map<uint8_t, std::map<AuditorKeyId, Wrap>> groups;
  ByteReader in(wrap_set.substr(kHeadSize));
  for (size_t i = 0; i < head.auditors.size(); ++i) {
    const Wrap wrap = GetWrap(in);
    groups[wrap.group][wrap.id] = wrap;
  }
  for (const auto& [number, wraps] : groups) {
    const auto mine = wraps.find(own_id);
    if (wraps.size() != 2 || mine == wraps.end() || !wraps.contains(other)) continue;
    WrapHalf half;
    half.group = number;
    BOOST_OUTCOME_TRY(half.half, OpenWrap(mine->second, EncodeContext(head.context), subject_key, auditor_secret, own));
    return half;
  }
  return Error{Code::kOtherAuditor, "this record is not sealed to these two auditors together"};
}

}  // namespace portcullis::audit
