#include "gateway/decide/policy_material.h"

#include "gateway/decide/officer_key.h"
#include "gateway/decide/site_facts.h"

namespace portcullis::gateway {
namespace {

namespace revise = policy::revise;

Result<revise::Officers> OfficersOf(const Config& config) {
  std::vector<revise::Officer> officers;
  for (const OfficerConfig& said : config.officers) {
    revise::Officer officer;
    officer.id = said.id;
    for (const std::string& name : said.may) {
      const auto right = revise::RightFromName(name);
      if (!right) {
        return Error{Code::kConfig, "officer `" + said.id + "`: `may` holds `" + name +
                                        "`; known are propose, approve and apply"};
      }
      officer.rights.push_back(*right);
    }
    if (!said.key.empty()) {
      BOOST_OUTCOME_TRY(officer.key, ReadOfficerPublicKey(said.key));
    }
    officers.push_back(std::move(officer));
  }
  auto made = revise::Officers::Make(std::move(officers));
  if (!made) return Error{Code::kConfig, "[[officer]]: " + made.error().message};
  return std::move(made.value());
}

}  // namespace

Result<PolicyMaterial> PolicyMaterial::Load(const Config& config) {
  PolicyMaterial material;
  material.facts = FactsOf(config);
  auto seed = revise::ReadContent(config.policy);
  // A store that has its revisions does not need the folder any more.
  if (seed)
    material.seed = std::move(seed.value());
  else if (config.revisions.empty())
    return Error{Code::kConfig, seed.error().message};
  material.seed.facts = material.facts;
  if (config.revisions.empty()) return material;
  BOOST_OUTCOME_TRY(material.officers, OfficersOf(config));
  BOOST_OUTCOME_TRY(MakeSealingKey(config.policy_key));
  BOOST_OUTCOME_TRY(material.appliance, LoadSigner(config.policy_key, kSealingKeyType));
  return material;
}

}  // namespace portcullis::gateway
