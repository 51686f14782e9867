#include "gateway/decide/site_place.h"

#include <algorithm>

namespace portcullis::gateway {

namespace cedar = policy::cedar;

namespace {

// A schema may also put places into groups of other types: one of those called "IT" is not Italy.
bool IsPlace(const cedar::EntityUid& uid) { return uid.type == "Gw::Jurisdiction"; }

}  // namespace

SitePlace PlaceOf(const cedar::Entities& entities, const std::string& site) {
  SitePlace place;
  const auto* backend = entities.Find({"Gw::Backend", site});
  if (backend == nullptr) return place;
  const cedar::Value* processing = backend->attrs.Find("processing");
  if (processing == nullptr || processing->kind() != cedar::Kind::kEntity || !IsPlace(processing->entity())) return place;
  place.id = processing->entity().id;
  if (const auto* stored = entities.Find(processing->entity(), processing->entity_hash())) {
    for (const cedar::Value& group : stored->ancestors) {
      if (IsPlace(group.entity())) place.in.push_back(group.entity().id);
    }
  }
  std::ranges::sort(place.in);
  return place;
}

}  // namespace portcullis::gateway
