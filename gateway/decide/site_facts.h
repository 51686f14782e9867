// What the configuration says about sites and jurisdictions, as Cedar entities: Gw::Backend for
// each [[site]] that states its facts, Gw::Jurisdiction for each [[place]]. The text is part of a
// revision's content, so that an approval covers it. Pure functions.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "gateway/config.h"

namespace portcullis::gateway {

// Entities in Cedar's JSON form, the same text for the same configuration; empty when it states
// none.
std::string FactsOf(const Config& config);

// The sites that must not be used under a revision that was approved with other facts: those whose
// own facts differ, and all of `sites` when a jurisdiction was moved or taken away, or when nobody
// knows what was approved.
std::set<std::string> ChangedSites(const std::optional<std::string>& approved,
                                   const std::string& configured,
                                   const std::vector<SiteConfig>& sites);

}  // namespace portcullis::gateway
