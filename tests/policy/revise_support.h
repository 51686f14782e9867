// Shared by the tests of revisions: a store in a folder of its own, officers with keys, a clock
// that is moved by hand, and small contents that are quick to check.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "policy/revise/store.h"

namespace portcullis::policy::revise {

// A key pair that is the same in every run: made from its name.
class NamedSigner final : public Signer {
 public:
  explicit NamedSigner(std::string_view name);
  PublicKey public_key() const override { return public_; }
  Signature Sign(std::string_view bytes) const override;

 private:
  PublicKey public_{};
  std::array<uint8_t, 64> secret_{};
};

// The shipped default set, and the same with `more` policies behind it.
Content DefaultContent(const std::string& more = "");
// DefaultContent without the rule that admits the own model, so that every call is refused.
Content RefusingContent();

class RevisionTest : public testing::Test {
 protected:
  RevisionTest();
  ~RevisionTest() override;

  StoreOptions Options();
  std::unique_ptr<RevisionStore> Open();  // EXPECTs success
  std::unique_ptr<RevisionStore> OpenSeeded();

  SignedStatement Sign(const RevisionStore& store, Act act, uint64_t number, const Hash& content,
                       const std::string& officer, int64_t valid = 86400) const;
  SignedStatement SignFor(const RevisionStore& store, Act act, uint64_t number,
                          const std::string& officer) const;  // over the content it has now
  // By the officer `console`, who signs in, over the content it has now.
  Result<SignedStatement> VouchFor(const RevisionStore& store, Act act, uint64_t number) const;
  // Propose by olga, approve by paul, apply by paul. The probation lasts a day.
  void PutInForce(RevisionStore& store, const Content& content);
  uint64_t ProposeOnly(RevisionStore& store, const Content& content);

  // A row changed behind the store's back; triggers are dropped first.
  void Execute(const std::string& sql);
  std::string Query(const std::string& sql);

  std::filesystem::path folder_;
  int64_t now_ = 1'800'000'000;
  std::optional<std::string> anchor_;
  std::map<std::string, std::shared_ptr<const NamedSigner>> keys_;
  std::vector<Officer> officers_;
};

DecisionFacts PlainCall();

}  // namespace portcullis::policy::revise
