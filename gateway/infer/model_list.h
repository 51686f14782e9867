// GET /v1/models and /v1/models/{id}: the models of the sites that policy lets this caller use.
#pragma once

#include "gateway/walk.h"

namespace portcullis::gateway {

Result<Answer> ListModels(const Call& call, const Decision& decision);

}  // namespace portcullis::gateway
