// Step "decide": policy for data, roles for administration. A model that no site serves is told
// apart from one that may not be used only for callers who may use the site at all.
#include <algorithm>

#include "gateway/walk.h"

namespace portcullis::gateway {
namespace {

// At most 64 bytes, cut between characters: what is not UTF-8 cannot be said in JSON.
std::string Shortened(const std::string& name) {
  size_t size = std::min<size_t>(name.size(), 64);
  while (size < name.size() && size > 0 && (name[size] & 0xc0) == 0x80) --size;
  return name.substr(0, size);
}

std::vector<std::string> AllSites(const SiteList& list) {
  std::vector<std::string> ids;
  for (const Site& site : list.sites) ids.push_back(site.id);
  return ids;
}

Decision Noted(Call& call, Decision decision) {
  call.treatment = decision.treatment();
  call.revision = decision.revision();
  call.record_level = decision.obligations().log;
  return decision;
}

}  // namespace

Result<Decision> Decide(Call& call, const Identity& who, const ScanResult& found) {
  const Decider& decider = call.services.decider;
  if (call.route->access == Access::kAdmin) {
    return Noted(call, decider.DecideAdmin(who));
  }
  const auto list = call.services.sites.Load();
  const Peer& peer = call.exchange.peer();
  if (!call.chat) {
    return Noted(call, decider.DecideList(who, peer, AllSites(*list)));
  }
  const std::vector<std::string> sites = list->Serving(call.chat->model);
  if (sites.empty() && !list->AnyUp()) {
    return Error{Code::kUpstreamUnavailable, "no inference engine is ready", "", 1000};
  }
  if (sites.empty()) {
    Error error{Code::kModelNotFound, "the model `" + Shortened(call.chat->model) +
                                          "` is not served here; see GET /v1/models"};
    error.param = "model";
    return error;
  }
  return Noted(call, decider.DecideForward(who, peer, found, call.chat->purpose, sites));
}

}  // namespace portcullis::gateway
