// Where a site processes what it is sent: attribute `processing` of its entity in the revision in force, and the
// places and groups which that place lies in. Goes into the record of the decision, so that a report can name
// the country without the policy of that day. Pure.
#pragma once

#include <string>
#include <vector>

#include "policy/cedar/entities.h"

namespace portcullis::gateway {

struct SitePlace {
  std::string id;               // of a Gw::Jurisdiction; empty: the policy does not say
  std::vector<std::string> in;  // sorted; of Gw::Jurisdictions
};

SitePlace PlaceOf(const policy::cedar::Entities& entities, const std::string& site);

}  // namespace portcullis::gateway
