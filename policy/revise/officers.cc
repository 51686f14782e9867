#include "policy/revise/officers.h"

#include <algorithm>

namespace portcullis::policy::revise {
namespace {

Error No(std::string message) { return {Code::kNotEntitled, std::move(message)}; }

}  // namespace

std::string_view NameOf(Right right) {
  switch (right) {
    case Right::kPropose:
      return "propose";
    case Right::kApprove:
      return "approve";
    case Right::kApply:
      return "apply";
  }
  return "unknown";
}

std::optional<Right> RightFromName(std::string_view name) {
  for (const Right right : {Right::kPropose, Right::kApprove, Right::kApply}) {
    if (NameOf(right) == name) return right;
  }
  return std::nullopt;
}

Right RightFor(Act act) {
  if (act == Act::kPropose || act == Act::kWithdraw) return Right::kPropose;
  return act == Act::kApprove ? Right::kApprove : Right::kApply;
}

bool Officer::May(Right right) const { return std::ranges::find(rights, right) != rights.end(); }

Result<Officers> Officers::Make(std::vector<Officer> officers) {
  Officers out;
  for (Officer& officer : officers) {
    if (!IsOfficerName(officer.id)) {
      return No("`" + officer.id +
                "` cannot be the name of an officer: use letters, digits, "
                "`.`, `-`, `_`, `@`, at most 64 of them");
    }
    for (const Officer& other : out.officers_) {
      if (other.id == officer.id) return No("the officer `" + officer.id + "` is named twice");
      if (other.key && officer.key && *other.key == *officer.key) {
        return No("the officers `" + other.id + "` and `" + officer.id +
                  "` have the same key: one person could approve alone");
      }
    }
    out.officers_.push_back(std::move(officer));
  }
  return out;
}

const Officer* Officers::Find(std::string_view id) const {
  const auto found = std::ranges::find(officers_, id, &Officer::id);
  return found == officers_.end() ? nullptr : &*found;
}

Result<Statement> Officers::Verify(const SignedStatement& signed_statement,
                                   const PublicKey& appliance, int64_t now) const {
  BOOST_OUTCOME_TRY(Statement statement, ParseStatement(signed_statement.text));
  const Officer* officer = Find(statement.officer);
  if (officer == nullptr) {
    return No("`" + statement.officer + "` is no officer in the configuration ([[officer]])");
  }
  if (officer->key && (signed_statement.by_appliance || signed_statement.key != *officer->key)) {
    return No("`" + officer->id + "` acts only under the key in the configuration, " +
              KeyText(*officer->key));
  }
  if (!officer->key && !signed_statement.by_appliance) {
    return No("`" + officer->id + "` has no key in the configuration and acts by signing in");
  }
  if (signed_statement.by_appliance && signed_statement.key != appliance) {
    return No("the key that vouches for `" + officer->id + "` is not the appliance's");
  }
  if (!VerifySignature(signed_statement.key, signed_statement.text, signed_statement.signature)) {
    return No("the signature of `" + officer->id + "` does not fit the statement");
  }
  const Right right = RightFor(statement.act);
  if (!officer->May(right)) {
    return No("`" + officer->id + "` may not " + std::string(NameOf(statement.act)) +
              ": the right `" + std::string(NameOf(right)) + "` is missing in the configuration");
  }
  if (statement.expires <= now) {
    return No("the statement of `" + officer->id + "` has expired; sign a new one");
  }
  if (statement.issued > now + kClockTolerance) {
    return No("the statement of `" + officer->id + "` is dated in the future; check the clocks");
  }
  return statement;
}

}  // namespace portcullis::policy::revise
