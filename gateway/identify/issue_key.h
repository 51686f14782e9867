// The one way a new API key comes into being: generate, hash, store, hand out once. Blocks on the
// store; call it through Store::Run from a coroutine.
#pragma once

#include <string>

#include "certs/secret.h"
#include "gateway/error.h"
#include "gateway/identify/api_key.h"
#include "gateway/state/clock.h"
#include "gateway/state/store.h"

namespace portcullis::gateway {

struct KeyRequest {
  std::string principal;  // id of an existing principal
  std::string label{};
  int64_t valid_seconds = 0;  // 0: until revoked
  UsageLimits limits{};
};

struct IssuedKey {
  ApiKey key;
  certs::SecretBytes token;  // shown once; not kept anywhere
};

Result<IssuedKey> IssueKey(Store& store, const KeyHasher& hasher, const Clock& clock,
                           const KeyRequest& request);

}  // namespace portcullis::gateway
