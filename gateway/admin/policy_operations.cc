#include "gateway/admin/policy_operations.h"

#include <boost/json/array.hpp>
#include <charconv>

#include "gateway/decide/policy_events.h"
#include "policy/revise/describe.h"

namespace portcullis::gateway {

namespace asio = boost::asio;
namespace json = boost::json;
namespace revise = policy::revise;

namespace {

constexpr uint64_t kListed = 500;  // newest revisions and events in an answer
constexpr int64_t kVouchedSeconds = 7 * 86400;

Result<uint64_t> NumberOf(const std::string& argument) {
  uint64_t number = 0;
  const char* const last = argument.data() + argument.size();
  const auto [end, error] = std::from_chars(argument.data(), last, number);
  if (error != std::errc() || end != last || number == 0) {
    return Error{Code::kInvalidParameter, "a revision has a number, like /revisions/7", "id"};
  }
  return number;
}

json::object StatusJson(PolicyKeeper& keeper) {
  revise::RevisionStore& store = keeper.store();
  const revise::State state = store.state();
  const auto snapshot = keeper.snapshot().Load();
  json::array officers;
  for (const revise::Officer& officer : store.officers().all()) {
    json::array rights;
    for (const revise::Right right : officer.rights) rights.emplace_back(revise::NameOf(right));
    json::object one{{"id", officer.id}, {"may", std::move(rights)}};
    if (officer.key) one["key"] = revise::KeyText(*officer.key);
    officers.push_back(std::move(one));
  }
  json::array revisions;
  for (auto at = state.revisions.rbegin();
       at != state.revisions.rend() && revisions.size() < kListed; ++at) {
    revisions.push_back(revise::ToJson(at->second));
  }
  json::array events;
  for (const auto& event : store.EventsAfter(state.seq > kListed ? state.seq - kListed : 0)) {
    events.push_back(revise::ToJson(event));
  }
  const auto said = keeper.Complaints();
  json::array complaints(said.begin(), said.end());
  return {{"schema", "portcullis.policy.v1"},
          {"store", store.store_id()},
          {"sealed_by", revise::KeyText(store.appliance_key())},
          {"in_force", snapshot->number},
          {"policy_revision", snapshot->revision},
          {"next", state.NextNumber()},
          {"frozen", store.health().frozen},
          {"complaints", std::move(complaints)},
          {"now", store.Now()},
          {"probation_seconds", int64_t{keeper.probation().minutes} * 60},
          {"facts", keeper.facts()},
          {"officers", std::move(officers)},
          {"revisions", std::move(revisions)},
          {"events", std::move(events)}};
}

Result<json::object> RevisionJson(PolicyKeeper& keeper, uint64_t number) {
  const revise::State state = keeper.store().state();
  const revise::Revision* revision = state.Find(number);
  if (revision == nullptr) {
    return Error{Code::kNotFound, "there is no revision " + std::to_string(number)};
  }
  const auto content = keeper.store().ContentOf(number);
  if (!content) return FromPolicy(content.error());
  json::object out{{"schema", "portcullis.policy.revision.v1"}};
  for (auto& [name, value] : revise::ToJson(*revision)) out[name] = value;
  out["files"] = revise::ToJson(content.value());
  return out;
}

// What the body asks for, whatever the act.
struct Wanted {
  std::optional<revise::SignedStatement> statement;
  std::optional<revise::Content> content;
  std::string officer;                       // for one who has signed in
  std::optional<revise::Hash> content_hash;  // of what he has read
  std::string why;
  int64_t probation_seconds = 0;
};

Result<Wanted> ReadBody(const json::value& document) {
  const json::object* body = document.if_object();
  if (body == nullptr) return Error{Code::kBadRequest, "the body must be a JSON object"};
  Wanted wanted;
  for (const auto& member : *body) {
    const std::string_view name = member.key();
    const json::value& value = member.value();
    const bool text = value.is_string() && value.get_string().size() <= 2048;
    if (name == "statement" || name == "key" || name == "signature") continue;
    if (name == "officer" && text) {
      wanted.officer = value.get_string();
    } else if (name == "content_hash" && text) {
      wanted.content_hash = revise::ParseHash(std::string_view(value.get_string()));
      if (!wanted.content_hash) {
        return Error{Code::kInvalidParameter, "`content_hash` is written `sha256:` and 64 digits",
                     "content_hash"};
      }
    } else if (name == "why" && text) {
      wanted.why = value.get_string();
    } else if (name == "probation_seconds" && value.is_int64()) {
      wanted.probation_seconds = value.get_int64();
    } else if (name == "content") {
      auto content = revise::ContentFromJson(value);
      if (!content) return FromPolicy(content.error());
      wanted.content = std::move(content.value());
    } else {
      return Error{Code::kInvalidParameter,
                   "`" + std::string(name) + "` is not known here, or is of a wrong type",
                   std::string(name)};
    }
  }
  if (body->contains("statement")) {
    auto statement = revise::SignedStatementFromJson(*body);
    if (!statement) return FromPolicy(statement.error());
    wanted.statement = std::move(statement.value());
  } else if (wanted.officer.empty()) {
    return Error{Code::kInvalidParameter, "`statement` is missing: sign the act as an officer",
                 "statement"};
  }
  return wanted;
}

revise::Act ActOf(Operation operation) {
  switch (operation) {
    case Operation::kPolicyApprove:
      return revise::Act::kApprove;
    case Operation::kPolicyApply:
      return revise::Act::kApply;
    case Operation::kPolicyKeep:
      return revise::Act::kKeep;
    case Operation::kPolicyRollback:
      return revise::Act::kRollback;
    case Operation::kPolicyWithdraw:
      return revise::Act::kWithdraw;
    default:
      return revise::Act::kPropose;
  }
}

policy::Result<void> Perform(revise::RevisionStore& store, revise::Act act, uint64_t number,
                             Wanted& wanted) {
  if (!wanted.statement) {
    if (act == revise::Act::kPropose && wanted.content) {
      const revise::Officer* author = store.officers().Find(wanted.officer);
      if (author == nullptr || !author->May(revise::Right::kPropose)) {
        return policy::Error{policy::Code::kNotEntitled,
                             "`" + wanted.officer + "` has no right to propose"};
      }
      // First, so that a proposal with faults leaves no draft behind.
      const revise::CheckReport report = revise::Check(*wanted.content);
      if (!report.ok()) {
        return policy::Error{policy::Code::kValidation, report.errors.front()};
      }
      BOOST_OUTCOME_TRY(number, store.SaveDraft(number, *wanted.content, wanted.officer));
      wanted.content_hash = revise::HashOf(*wanted.content);
      wanted.content.reset();
      BOOST_OUTCOME_TRY(store.CheckDraft(number));
    }
    if (!wanted.content_hash) {
      return policy::Error{policy::Code::kNotEntitled,
                           "`content_hash` is missing: name the content that you have read"};
    }
    BOOST_OUTCOME_TRY(wanted.statement, store.Vouch(act, number, *wanted.content_hash,
                                                    wanted.officer, kVouchedSeconds));
  }
  const revise::SignedStatement& statement = *wanted.statement;
  if (number != 0) {
    BOOST_OUTCOME_TRY(const revise::Statement said, revise::ParseStatement(statement.text));
    if (said.revision != number) {
      return policy::Error{policy::Code::kNotEntitled,
                           "the statement is about revision " + std::to_string(said.revision)};
    }
  }
  switch (act) {
    case revise::Act::kPropose:
      return store.Propose(statement, wanted.content);
    case revise::Act::kApprove:
      return store.Approve(statement);
    case revise::Act::kApply:
      return store.Apply(statement, wanted.probation_seconds);
    case revise::Act::kKeep:
      return store.Keep(statement);
    case revise::Act::kRollback:
      return store.Rollback(statement, wanted.why);
    case revise::Act::kWithdraw:
      return store.Withdraw(statement, wanted.why);
  }
  return boost::outcome_v2::success();
}

asio::awaitable<Result<Answer>> Act(Call& call) {
  auto body = ReadBody(call.document);
  if (!body) co_return body.error();
  Wanted wanted = std::move(body.value());
  if (!wanted.statement && wanted.officer != call.subject) {
    co_return Error{Code::kForbidden, "you have signed in as `" + call.subject +
                                          "` and cannot act as `" + wanted.officer +
                                          "`; send that officer's signed statement"};
  }
  uint64_t number = 0;
  if (call.route->operation != Operation::kPolicyPropose) {
    auto given = NumberOf(call.argument);
    if (!given) co_return given.error();
    number = given.value();
  }
  PolicyKeeper& keeper = call.services.policy;
  if (wanted.probation_seconds == 0) {
    wanted.probation_seconds = int64_t{keeper.probation().minutes} * 60;
  }
  const revise::Act act = ActOf(call.route->operation);
  auto done = co_await call.services.store.Run([&](Store&) {
    return keeper.Change(
        [&](revise::RevisionStore& store) { return Perform(store, act, number, wanted); });
  });
  if (!done) co_return FromPolicy(done.error());
  auto noted = co_await NotePolicyChanges(keeper, call.services.store, call.services.recorder);
  if (!noted) call.services.log.Event(LogLevel::kError, "policy", noted.error().message);
  const auto said = revise::ParseStatement(wanted.statement->text);
  auto shown = co_await call.services.store.Run(
      [&](Store&) { return RevisionJson(keeper, said.value().revision); });
  if (!shown) co_return shown.error();
  Answer answer;
  answer.document = std::move(shown.value());
  answer.document.erase("files");
  answer.document["in_force"] = keeper.snapshot().Load()->number;
  co_return answer;
}

}  // namespace

asio::awaitable<Result<Answer>> AdministerPolicy(Call& call) {
  PolicyKeeper& keeper = call.services.policy;
  if (!keeper.has_store()) {
    co_return Error{Code::kConflict,
                    "this gateway takes its policy from a folder; name `revisions` and "
                    "`policy_key` in its configuration"};
  }
  Answer answer;
  if (call.route->operation == Operation::kPolicyStatus) {
    answer.document = co_await call.services.store.Run([&](Store&) { return StatusJson(keeper); });
  } else if (call.route->operation == Operation::kPolicyRevision) {
    auto number = NumberOf(call.argument);
    if (!number) co_return number.error();
    auto shown = co_await call.services.store.Run(
        [&](Store&) { return RevisionJson(keeper, number.value()); });
    if (!shown) co_return shown.error();
    answer.document = std::move(shown.value());
  } else {
    co_return co_await Act(call);
  }
  co_return answer;
}

}  // namespace portcullis::gateway
