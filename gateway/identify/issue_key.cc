#include "gateway/identify/issue_key.h"

#include <limits>
#include <utility>

namespace portcullis::gateway {

Result<IssuedKey> IssueKey(Store& store, const KeyHasher& hasher, const Clock& clock,
                           const KeyRequest& request) {
  const int64_t now = clock.UnixSeconds();
  if (request.valid_seconds < 0 ||
      request.valid_seconds > std::numeric_limits<int64_t>::max() - now) {
    return Error{Code::kInvalidParameter, "the validity must not be negative", "valid_seconds"};
  }
  ApiKey key{.id = GenerateKeyId(),
             .principal = request.principal,
             .label = request.label,
             .created = now,
             .expires = request.valid_seconds == 0 ? 0 : now + request.valid_seconds,
             .limits = request.limits};
  certs::SecretBytes token = GenerateApiKey();
  const KeyHash hash = hasher.Hash({reinterpret_cast<const char*>(token.data()), token.size()});
  BOOST_OUTCOME_TRY(store.AddKey(key, hash));
  return IssuedKey{std::move(key), std::move(token)};
}

}  // namespace portcullis::gateway
