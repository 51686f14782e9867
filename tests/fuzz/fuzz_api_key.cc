// The value of an Authorization field, as a stranger sends it. Nothing that the fuzzer invents may
// prove an identity, because it would have to guess a key.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/identify/identifier.h"

namespace portcullis::gateway {
namespace {

// A store with one key, whose token nobody knows.
class OneKeyStore final : public Store {
 public:
  explicit OneKeyStore(const KeyHasher& hasher) {
    auto profile = std::make_shared<Profile>();
    profile->principal.id = "alice";
    const certs::SecretBytes token = GenerateApiKey();
    auto table = std::make_shared<KeyTable>();
    table->AddKey(hasher.Hash({reinterpret_cast<const char*>(token.data()), token.size()}),
                  {.id = "key_1", .principal = "alice"}, std::move(profile));
    table_ = std::move(table);
  }

  std::shared_ptr<const KeyTable> Keys() const override { return table_; }
  Result<void> PutTenant(const Tenant&) override { return None(); }
  Result<void> PutPrincipal(const Principal&) override { return None(); }
  Result<std::vector<Tenant>> ListTenants() override { return None(); }
  Result<std::vector<Principal>> ListPrincipals() override { return None(); }
  Result<void> AddKey(const ApiKey&, const KeyHash&) override { return None(); }
  Result<void> RevokeKey(std::string_view, int64_t) override { return None(); }
  Result<std::vector<ApiKey>> ListKeys() override { return None(); }
  Result<std::vector<BudgetRow>> LoadBudgets(int32_t, int32_t) override { return None(); }
  Result<void> SaveUsage(const std::vector<BudgetRow>&, int32_t, int32_t) override {
    return None();
  }
  Result<std::optional<std::string>> GetSetting(std::string_view) override { return None(); }
  Result<void> PutSetting(std::string_view, std::string_view) override { return None(); }

 private:
  static Error None() { return Error{Code::kState, "nothing is kept here"}; }
  boost::asio::thread_pool::executor_type Executor() override { return pool_.get_executor(); }

  std::shared_ptr<const KeyTable> table_;
  boost::asio::thread_pool pool_{1};
};

}  // namespace
}  // namespace portcullis::gateway

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portcullis::gateway;
  static const KeyHasher hasher =
      KeyHasher::Create(portcullis::certs::SecretBytes::Random(kPepperLength)).value();
  static const OneKeyStore store(hasher);
  static const SystemClock clock;
  static const Identifier identifier(store, hasher, clock, {});
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const std::string_view values[] = {value};
  if (identifier.ByBearer(values)) std::abort();
  IsWellFormedApiKey(value);
  return 0;
}
