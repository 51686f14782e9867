// Everything that revisions need from files which are read before the sandbox closes: the key that
// seals the store, the officers' public keys, and the folder that seeds an empty store. Immutable.
#pragma once

#include <memory>
#include <string>

#include "gateway/config.h"
#include "policy/revise/content.h"
#include "policy/revise/officers.h"

namespace portcullis::gateway {

struct PolicyMaterial {
  std::shared_ptr<const policy::revise::Signer> appliance;  // null without a store
  policy::revise::Officers officers;
  policy::revise::Content seed;  // the configured folder with the facts of the configuration
  std::string facts;             // of the configuration as it is now

  // Makes the sealing key when its file is missing.
  static Result<PolicyMaterial> Load(const Config& config);
};

}  // namespace portcullis::gateway
