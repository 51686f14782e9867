// Key chains: one per subject key and jurisdiction, for at most an hour or 4096 records. A chain's keys live here and
// nowhere else, in one block of secret memory, and each key is overwritten by its successor, so that a
// memory image opens nothing older. Beside it lies the chain's node of the subject's tree (subject_key.h), so
// that the tree itself is not kept. CHAINS in FORMAT.md. One thread (the writer's).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "audit/event.h"
#include "audit/record.h"
#include "certs/secret.h"

namespace portcullis::audit {

class ChainTable {
 public:
  static constexpr size_t kMaxChains = 4096;
  static constexpr uint32_t kMaxRecords = 4096;
  static constexpr uint64_t kMaxAgeUs = 3600ull * 1000 * 1000;

  // Whose chain, and for whom it is wrapped.
  struct Owner {
    SubjectKeyId key;
    std::string jurisdiction;

    auto operator<=>(const Owner&) const = default;
  };

  // The place of one record in its subject's chain. `key` is valid until the next call.
  struct Link {
    uint64_t chain = 0;  // seq of the KEY record
    uint32_t index = 0;
    Hash wrap_set_hash{};
    std::span<const uint8_t> key;
    std::span<const uint8_t> node;
  };

  ChainTable();
  // The live chain of the subject, if there is one that may take another record now.
  std::optional<Link> Current(const Owner& owner, uint32_t epoch, uint64_t now_us);
  struct Fresh {
    std::span<const uint8_t> key;  // the first, to be wrapped
    std::span<uint8_t> node;       // to be filled
  };
  // A new random chain; the oldest gives way when the table is full. SetWrap must follow.
  Fresh Begin(const Owner& owner, uint32_t epoch, uint64_t chain, uint64_t now_us);
  void SetWrap(const Owner& owner, const Hash& wrap_set_hash);
  // Replaces the current key by its successor.
  void Advance(const Owner& owner);
  void Forget(const Owner& owner);
  // All chains of the subject: its keys are about to go.
  void ForgetSubject(const Tag& subject);
  // Forgets every chain: after a failed commit, and at the end.
  void Clear();
  size_t size() const { return chains_.size(); }

 private:
  struct Chain {
    size_t slot = 0;
    uint64_t chain = 0;
    uint32_t index = 0;
    uint32_t epoch = 0;
    uint64_t born_us = 0;
    Hash wrap_set_hash{};
  };
  std::span<uint8_t> Key(size_t slot);
  std::span<uint8_t> Node(size_t slot);

  certs::SecretBytes keys_;
  std::vector<size_t> free_;
  std::map<Owner, Chain> chains_;
};

}  // namespace portcullis::audit
