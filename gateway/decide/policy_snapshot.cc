#include "gateway/decide/policy_snapshot.h"

namespace portcullis::gateway {

namespace revise = policy::revise;

std::shared_ptr<PolicySnapshot> PolicySnapshot::Of(std::shared_ptr<const revise::Compiled> compiled,
                                                   uint64_t number) {
  auto snapshot = std::make_shared<PolicySnapshot>();
  snapshot->revision = "none";
  if (compiled) {
    snapshot->hash = compiled->hash;
    snapshot->revision = revise::HashText(compiled->hash).substr(0, 19);
  }
  snapshot->compiled = std::move(compiled);
  snapshot->number = number;
  return snapshot;
}

Result<std::shared_ptr<const PolicySnapshot>> PolicySnapshot::Load(
    const std::filesystem::path& folder, const std::string& facts) {
  const auto bad = [](const policy::Error& error) {
    return Error{Code::kConfig, "the policy was not loaded: " + error.message};
  };
  auto content = revise::ReadContent(folder);
  if (!content) return bad(content.error());
  content.value().facts = facts;
  auto compiled = revise::Compiled::Make(content.value());
  if (!compiled) return bad(compiled.error());
  return std::shared_ptr<const PolicySnapshot>(Of(std::move(compiled.value()), 0));
}

Error FromPolicy(const policy::Error& error) {
  switch (error.code) {
    case policy::Code::kNotEntitled:
      return {Code::kForbidden, error.message};
    case policy::Code::kRevisionState:
    case policy::Code::kStale:
      return {Code::kConflict, error.message};
    case policy::Code::kTooLarge:
      return {Code::kTooLarge, error.message};
    case policy::Code::kStorage:
    case policy::Code::kRevisionDamaged:
      return {Code::kState, error.message};
    default:
      return {Code::kInvalidParameter, error.message};
  }
}

}  // namespace portcullis::gateway
