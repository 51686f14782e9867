#include "audit/tags.h"

#include <sodium.h>

#include <algorithm>

#include "audit/bytes.h"

namespace portcullis::audit {

Tag KeyedTag(const certs::SecretBytes& tag_key, std::string_view label, std::string_view text) {
  std::string input(label);
  input.push_back('\0');
  input.append(text);
  Tag tag;
  crypto_generichash(tag.data(), tag.size(), AsBytes(input).data(), input.size(), tag_key.data(),
                     tag_key.size());
  return tag;
}

Result<SearchTerm> SearchTerm::Make(KeyStore& keys, std::string_view label, std::string_view text) {
  SearchTerm term;
  term.where_ = label == "subject"  ? Where::kSubject
                : label == "tenant" ? Where::kTenant
                                    : Where::kTags;
  BOOST_OUTCOME_TRY(const std::vector<uint32_t> epochs, keys.Epochs());
  for (const uint32_t epoch : epochs) {
    BOOST_OUTCOME_TRY(const certs::SecretBytes key, keys.TagKey(epoch));
    term.tags_.push_back({epoch, KeyedTag(key, label, text)});
  }
  return term;
}

bool SearchTerm::Matches(const Leaf& leaf) const {
  return std::ranges::any_of(tags_, [&](const Yearly& yearly) {
    if (yearly.epoch != leaf.epoch) return false;
    switch (where_) {
      case Where::kSubject: return leaf.subject == yearly.tag;
      case Where::kTenant: return leaf.tenant == yearly.tag;
      case Where::kTags: break;
    }
    return std::find(leaf.tags.begin(), leaf.tags.begin() + leaf.tag_count, yearly.tag) !=
           leaf.tags.begin() + leaf.tag_count;
  });
}

}  // namespace portcullis::audit
