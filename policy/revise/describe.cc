#include "policy/revise/describe.h"

#include <boost/json/array.hpp>

namespace portcullis::policy::revise {

namespace json = boost::json;

json::object ToJson(const Revision& revision) {
  json::array approvals;
  for (const Approval& approval : revision.approvals) {
    approvals.push_back(
        {{"officer", approval.officer}, {"time", approval.time}, {"expires", approval.expires}});
  }
  return {{"number", revision.number},
          {"phase", NameOf(revision.phase)},
          {"content", HashText(revision.content)},
          {"author", revision.author},
          {"created", revision.created},
          {"proposed", revision.proposed},
          {"approvals", std::move(approvals)},
          {"activated", revision.activated},
          {"probation_until", revision.probation_until},
          {"replaced", revision.replaced},
          {"detail", revision.detail}};
}

json::object ToJson(const SealedEvent& sealed) {
  const Event& event = sealed.event;
  json::object out{{"seq", event.seq},
                   {"time", event.time},
                   {"event", NameOf(event.kind)},
                   {"revision", event.revision},
                   {"content", HashText(event.content)},
                   {"actor", event.actor},
                   {"detail", event.detail},
                   {"hash", HashText(sealed.hash)},
                   {"previous", HashText(event.previous)},
                   {"sealed", SignatureText(sealed.signature)}};
  if (event.until != 0) out["until"] = event.until;
  if (event.statement) {
    out["signed"] = ToJson(*event.statement);
    out["signed"].get_object()["by_appliance"] = event.statement->by_appliance;
  }
  return out;
}

json::object ToJson(const SignedStatement& statement) {
  return {{"statement", statement.text},
          {"key", KeyText(statement.key)},
          {"signature", SignatureText(statement.signature)}};
}

Result<SignedStatement> SignedStatementFromJson(const json::object& object) {
  const auto text = [&](std::string_view name) -> Result<std::string> {
    const json::value* member = object.if_contains(name);
    if (member == nullptr || !member->is_string() || member->get_string().size() > 2048) {
      return Error{Code::kNotEntitled, "`" + std::string(name) +
                                           "` is missing: the act needs the signed statement of "
                                           "an officer"};
    }
    return std::string(member->get_string());
  };
  SignedStatement out;
  BOOST_OUTCOME_TRY(out.text, text("statement"));
  BOOST_OUTCOME_TRY(const std::string key, text("key"));
  BOOST_OUTCOME_TRY(const std::string signature, text("signature"));
  BOOST_OUTCOME_TRY(out.key, ParseKey(key));
  BOOST_OUTCOME_TRY(out.signature, ParseSignature(signature));
  return out;
}

}  // namespace portcullis::policy::revise
