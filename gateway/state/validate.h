// What may go into the store: names in fixed alphabets, texts that are valid UTF-8 without control
// characters, sizes with an end. Pure functions; kInvalidParameter names the field and the rule.
#pragma once

#include "gateway/error.h"
#include "gateway/state/records.h"

namespace portcullis::gateway {

Result<void> Validate(const Tenant& tenant);
Result<void> Validate(const Principal& principal);
Result<void> Validate(const ApiKey& key);

}  // namespace portcullis::gateway
