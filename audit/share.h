// A share file: in two-person mode, one officer's part in the opening of chosen records, on its way to the other
// officer. The first opens, with his secret key and his release, his half of each chain's wrap and seals it to the
// second's public key; the second, with a key and a release of his own, opens those records on his own machine. So
// neither key leaves its holder. A half belongs to a chain, thus opens, with the second's key, all of its records (one
// subject, an hour at most); the file names the records that it is for, and a RecordOpener opens no others with it.
// SHARE FILE in FORMAT.md. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/keystore.h"
#include "audit/record.h"
#include "audit/seal.h"
#include "certs/secret.h"

namespace portcullis::audit {

inline constexpr size_t kMaxShareChains = 16'384;
inline constexpr size_t kMaxShareRecords = 1u << 20;
inline constexpr size_t kMaxShareReason = 1024;

class ShareMaker {
 public:
  // kKeys where `secret` is no key, or `to` is its own.
  static Result<ShareMaker> Make(std::string_view origin, const certs::SecretBytes& secret, const AuditorKey& to);
  // A record and the payload of its chain's KEY record. kOtherAuditor when it is not sealed to these two together,
  // kTooLarge when the file is full.
  Result<void> Add(const Leaf& leaf, std::string_view key_payload, SubjectKeySource& keys);
  size_t records() const { return records_; }
  size_t chains() const { return chains_.size(); }
  // kInvalidArgument for a reason that is empty, too long or not one line of text.
  Result<std::string> Seal(uint64_t made_us, std::string_view reason) const;

 private:
  struct Half {
    WrapContext context;
    uint8_t group = 0;
    size_t at = 0;  // in halves_
    std::set<uint64_t> seqs;
  };
  ShareMaker(std::string_view origin, const certs::SecretBytes& secret, const AuditorKey& own, const AuditorKey& to);

  std::string origin_;
  const certs::SecretBytes* secret_;
  AuditorKeyId from_;
  AuditorKey to_;
  std::map<uint64_t, Half> chains_;
  certs::SecretBytes halves_;  // 32 bytes a chain
  size_t records_ = 0;
};

struct ShareHead {
  AuditorKeyId from{};
  uint64_t made_us = 0;
  std::string reason;
  size_t records = 0;
};

// The halves of one or more share files.
class Shares {
 public:
  // kTampered or kKeys when the file does not open, kOtherAuditor when it is for another key.
  Result<ShareHead> Add(std::string_view file, std::string_view origin, const certs::SecretBytes& auditor_secret);
  // Adds a file that is for any of these auditors; the error names the file.
  Result<ShareHead> AddFile(const std::filesystem::path& file, std::string_view origin,
                            std::span<const certs::SecretBytes* const> auditor_secrets);
  bool Knows(uint64_t chain) const { return halves_.contains(chain); }
  // True when a file names this record.
  bool Covers(uint64_t chain, uint64_t seq) const;
  // The halves for this record, for OpenWrapSet(). Must not outlive this.
  HalfOf HalvesFor(const WrapContext& context, uint64_t seq) const;

 private:
  struct Half {
    AuditorKeyId from{};
    WrapContext context;
    uint8_t group = 0;
    std::span<const uint8_t> half;  // of contents_
    std::vector<uint64_t> seqs;     // ascending
  };
  std::multimap<uint64_t, Half> halves_;     // by chain
  std::list<certs::SecretBytes> contents_;   // of the files
};

}  // namespace portcullis::audit
