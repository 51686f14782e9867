// Who may change policy: officers with their rights and, where they have one, their own key. The
// list comes from the appliance's configuration, never from the store it guards.
//   An officer with a key acts only under that key.
//   An officer without one acts by signing in; the appliance's key then vouches for him.
// Immutable after construction, any thread. Failure: kNotEntitled, with what is missing in words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/revise/statement.h"

namespace portcullis::policy::revise {

enum class Right : uint8_t { kPropose, kApprove, kApply };
std::string_view NameOf(Right right);
std::optional<Right> RightFromName(std::string_view name);
Right RightFor(Act act);

struct Officer {
  std::string id;
  std::optional<PublicKey> key;
  std::vector<Right> rights;

  bool May(Right right) const;
};

class Officers {
 public:
  // Ids and keys must be unique: one person with two names could approve himself.
  static Result<Officers> Make(std::vector<Officer> officers);
  Officers() = default;  // nobody may do anything

  const Officer* Find(std::string_view id) const;
  const std::vector<Officer>& all() const { return officers_; }

  // The statement, when its signature is good, its officer has the right for the act, the key is
  // the officer's own (or the appliance's, for one without), and it is neither expired nor of the
  // future.
  Result<Statement> Verify(const SignedStatement& signed_statement, const PublicKey& appliance,
                           int64_t now) const;

 private:
  std::vector<Officer> officers_;
};

// Clocks of two machines may differ by this much.
inline constexpr int64_t kClockTolerance = 300;  // seconds

}  // namespace portcullis::policy::revise
