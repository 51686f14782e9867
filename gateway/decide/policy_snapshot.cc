#include "gateway/decide/policy_snapshot.h"

#include <sodium.h>

#include <array>
#include <fstream>
#include <iterator>

#include "gateway/decide/obligations.h"
#include "policy/cedar/schema.h"
#include "policy/cedar/validate.h"

namespace portcullis::gateway {
namespace {

Result<std::string> ReadFile(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream.good() && !stream.eof()) {
    return Error{Code::kConfig, file.string() + ": cannot be read"};
  }
  if (!stream.is_open()) return Error{Code::kConfig, file.string() + ": cannot be opened"};
  return text;
}

Error Bad(const policy::Error& error) {
  return Error{Code::kConfig, "the policy was not loaded: " + error.message};
}

// Length before content, so that text cannot wander from one file to the next unseen.
void Add(crypto_hash_sha256_state& state, const std::string& text) {
  const uint64_t size = text.size();
  crypto_hash_sha256_update(&state, reinterpret_cast<const unsigned char*>(&size), sizeof size);
  crypto_hash_sha256_update(&state, reinterpret_cast<const unsigned char*>(text.data()), size);
}

}  // namespace

Result<std::shared_ptr<const PolicySnapshot>> PolicySnapshot::Load(
    const std::filesystem::path& folder) {
  BOOST_OUTCOME_TRY(auto policy_text, ReadFile(folder / "policy.cedar"));
  BOOST_OUTCOME_TRY(auto entities_text, ReadFile(folder / "entities.json"));
  BOOST_OUTCOME_TRY(auto schema_text, ReadFile(folder / "schema.cedarschema"));
  auto snapshot = std::make_shared<PolicySnapshot>();
  auto policies =
      policy::cedar::PolicySet::Parse(policy_text, (folder / "policy.cedar").string());
  if (!policies) return Bad(policies.error());
  auto schema = policy::cedar::Schema::Parse(schema_text, (folder / "schema.cedarschema").string());
  if (!schema) return Bad(schema.error());
  auto entities = policy::cedar::Entities::ParseJson(entities_text, &schema.value(),
                                                     (folder / "entities.json").string());
  if (!entities) return Bad(entities.error());
  snapshot->policies = std::move(policies.value());
  snapshot->entities = std::move(entities.value());
  if (snapshot->policies.size() == 0) {
    return Error{Code::kConfig, (folder / "policy.cedar").string() +
                                    ": holds no policy, so every call would be refused"};
  }
  const auto findings = policy::cedar::Validate(snapshot->policies, schema.value());
  if (!findings.errors.empty()) {
    return Error{Code::kConfig, "the policy was not loaded: " + findings.errors.front().message};
  }
  for (const std::string& id : snapshot->policies.Ids()) {
    auto checked = Obligations::Check(*snapshot->policies.Annotations(id));
    if (!checked) {
      return Error{Code::kConfig,
                   snapshot->policies.Where(id) + ": " + checked.error().message};
    }
  }
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  Add(state, policy_text);
  Add(state, entities_text);
  Add(state, schema_text);
  crypto_hash_sha256_final(&state, snapshot->hash.data());
  std::array<char, 65> hex{};
  sodium_bin2hex(hex.data(), hex.size(), snapshot->hash.data(), snapshot->hash.size());
  snapshot->revision = "sha256:" + std::string(hex.data(), 12);
  return std::shared_ptr<const PolicySnapshot>(std::move(snapshot));
}

}  // namespace portcullis::gateway
