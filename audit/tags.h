// Blind tags: a name becomes 16 bytes that only the holder of the year's tag key can make, so that a
// leaf, which is permanent, names nobody. With the keys, the tags to search for; once they are
// destroyed, nothing can be searched or guessed. LEAF in FORMAT.md. Pure but for the key store.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/event.h"
#include "audit/keystore.h"
#include "audit/record.h"

namespace portcullis::audit {

// BLAKE2b-128 of label ‖ 0x00 ‖ text. Labels: "subject", "tenant", "tag".
Tag KeyedTag(const certs::SecretBytes& tag_key, std::string_view label, std::string_view text);

// One term in every year that the key store knows.
class SearchTerm {
 public:
  static Result<SearchTerm> Make(KeyStore& keys, std::string_view label, std::string_view text);
  bool Matches(const Leaf& leaf) const;

  enum class Where : uint8_t { kSubject = 0, kTenant = 1, kTags = 2 };
  struct Yearly {
    uint32_t epoch;
    Tag tag;
  };
  Where where() const { return where_; }
  const std::vector<Yearly>& tags() const { return tags_; }

 private:
  Where where_ = Where::kTags;
  std::vector<Yearly> tags_;
};

}  // namespace portcullis::audit
