#include "gateway/record/events.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "audit/auditors.h"
#include "policy/revise/content.h"
#include "policy/revise/facts_json.h"

namespace portcullis::gateway {
namespace {

namespace json = boost::json;

template <class Range>
json::array Strings(const Range& range) {
  json::array out;
  for (const auto& item : range) out.emplace_back(std::string_view(item));
  return out;
}

json::object Findings(const ScanResult& found) {
  json::object kinds;
  for (const auto& [kind, count] : found.kinds) kinds[kind] = count;
  return {{"classes", Strings(found.classes)},
          {"kinds", std::move(kinds)},
          {"subject_jurisdictions", Strings(found.subject_jurisdictions)},
          {"complete", found.complete}};
}

void AddMetadata(audit::Event& event, const json::object& metadata) {
  event.parts.push_back({audit::PartType::kMetadata, json::serialize(metadata)});
}

void AddText(std::vector<audit::Part>& parts, audit::PartType type, std::string text) {
  if (!text.empty()) parts.push_back({type, std::move(text)});
}

std::string From(const Call& call) {
  const Peer& peer = call.exchange.peer();
  if (peer.kind == Peer::Kind::kUnix) return "uid " + std::to_string(peer.uid);
  return peer.address.to_string();
}

// A proposed policy set is kept whole in the revision store; here its hash is enough.
json::value WithoutContent(json::value document) {
  json::object* body = document.if_object();
  const json::value* content = body ? body->if_contains("content") : nullptr;
  if (content == nullptr) return document;
  const auto read = policy::revise::ContentFromJson(*content);
  (*body)["content"] = read ? policy::revise::HashText(policy::revise::HashOf(read.value()))
                            : std::string("malformed");
  return document;
}

audit::Event Begin(audit::Kind kind, const Call& call) {
  audit::Event event;
  event.kind = kind;
  event.request_id = call.id;
  event.subject = call.subject;
  event.retention_days = call.retention_days;
  event.jurisdiction = call.jurisdiction;
  return event;
}

}  // namespace

std::string RecordJurisdiction(const Identity& who, const Config& config) {
  const std::string& home = who.home().empty() ? config.jurisdiction : who.home();
  return audit::ValidJurisdiction(home) ? home : std::string();
}

audit::Event RequestEvent(const Call& call, const Identity& who, const Decision& decision) {
  audit::Event event = Begin(audit::Kind::kReq, call);
  event.tenant = who.tenant().id;
  event.policy_hash = decision.policy_hash();
  event.tags = {"user:" + who.subject(), "operation:" + std::string(Name(call.route->operation))};
  json::object metadata{{"request", call.id_text},
                        {"operation", Name(call.route->operation)},
                        {"subject", who.subject()},
                        {"tenant", who.tenant().id},
                        {"proved_by", ToString(who.method())},
                        {"key", who.key_id()},
                        {"from", From(call)},
                        {"bytes", call.body.size()}};
  if (call.chat) {
    event.tags.push_back("model:" + call.chat->model);
    const auto list = call.services.sites.Load();
    if (const auto* model = list->FindModel(call.chat->model)) event.model_hash = model->sha256;
    metadata["model"] = call.chat->model;
    metadata["stream"] = call.chat->stream;
    metadata["max_tokens"] = call.chat->max_tokens;
    metadata["purpose"] = call.chat->purpose;
    if (decision.obligations().log == RecordLevel::kSealed) {
      AddText(event.parts, audit::PartType::kPrompt, call.body);
    }
  }
  AddMetadata(event, metadata);
  return event;
}

audit::Event DecisionEvent(const Call& call, const Identity& who, const ScanResult& found,
                           const Decision& decision) {
  audit::Event event = Begin(audit::Kind::kDecision, call);
  event.parent_seq = audit::kParentFirst;
  event.tenant = who.tenant().id;
  event.policy_hash = decision.policy_hash();
  event.outcome = !decision.allowed() ? 2 : decision.treatment() == Treatment::kForward ? 1 : 3;
  for (const std::string& policy : decision.policies()) {
    if (event.tags.size() < 4) event.tags.push_back("policy:" + policy);
  }
  json::object facts{{"treatment", ToString(decision.treatment())},
                     {"site", decision.site()},
                     {"policies", Strings(decision.policies())},
                     {"errors", Strings(decision.errors())},
                     {"revision", decision.revision()},
                     {"revision_number", decision.revision_number()},
                     {"revision_hash", policy::revise::HashText(decision.policy_hash())},
                     {"log", ToString(decision.obligations().log)},
                     {"alerts", Strings(decision.obligations().alerts)},
                     {"found", Findings(found)}};
  if (!decision.place().id.empty()) {
    facts["place"] = json::object{{"processing", decision.place().id}, {"in", Strings(decision.place().in)}};
  }
  if (decision.obligations().retention_days) {
    facts["retention_days"] = *decision.obligations().retention_days;
  }
  if (decision.facts()) facts["facts"] = policy::revise::ToJson(*decision.facts());
  event.parts.push_back({audit::PartType::kDecision, json::serialize(facts)});
  return event;
}

std::vector<audit::Part> AnswerParts(const ChatAnswer& answer, RecordLevel level) {
  std::vector<audit::Part> parts;
  if (level != RecordLevel::kSealed) return parts;
  AddText(parts, audit::PartType::kAnswer, answer.Text());
  AddText(parts, audit::PartType::kReasoning, answer.Reasoning());
  AddText(parts, audit::PartType::kTools, answer.Tools());
  return parts;
}

audit::Event ResponseEvent(const Call& call, const ChatAnswer* answer, RecordLevel level) {
  audit::Event event = Begin(audit::Kind::kResp, call);
  event.parent_seq = call.request_seq;
  event.outcome = 200;
  json::object metadata{{"request", call.id_text}};
  if (answer) {
    metadata["finish_reason"] = answer->FinishReason();
    metadata["prompt_tokens"] = answer->usage().prompt;
    metadata["completion_tokens"] = answer->usage().completion;
    metadata["found"] = Findings(answer->findings());
    event.parts = AnswerParts(*answer, level);
  } else if (call.chat) {
    metadata["prompt_tokens"] = call.prompt_tokens;
  }
  AddMetadata(event, metadata);
  return event;
}

audit::Event AbortEvent(const Call& call, const Error& error) {
  audit::Event event = Begin(audit::Kind::kAbort, call);
  event.parent_seq = call.request_seq;
  event.outcome = static_cast<uint16_t>(Info(error.code).http_status);
  AddMetadata(event, {{"request", call.id_text},
                      {"code", static_cast<int>(error.code)},
                      {"name", Info(error.code).name},
                      {"prompt_tokens", call.prompt_tokens},
                      {"completion_tokens", call.completion_tokens}});
  event.parts.insert(event.parts.end(), call.delivered.begin(), call.delivered.end());
  return event;
}

audit::Event AdminEvent(const Call& call, const Identity& who, const Decision& decision) {
  audit::Event event = Begin(audit::Kind::kAdmin, call);
  event.tenant = who.tenant().id;
  event.policy_hash = decision.policy_hash();
  event.outcome = decision.allowed() ? 1 : 2;
  event.tags = {"user:" + who.subject(), "operation:" + std::string(Name(call.route->operation))};
  json::object metadata{{"request", call.id_text},
                        {"operation", Name(call.route->operation)},
                        {"subject", who.subject()},
                        {"proved_by", ToString(who.method())},
                        {"from", From(call)},
                        {"argument", call.argument}};
  if (!call.document.is_null()) metadata["body"] = WithoutContent(call.document);
  AddMetadata(event, metadata);
  return event;
}

audit::Event RefusedActEvent(const Call& call, const Error& error) {
  audit::Event event = Begin(audit::Kind::kAdmin, call);
  event.outcome = 2;
  const std::string operation(Name(call.route->operation));
  event.tags = {"user:" + call.subject, "operation:" + operation};
  AddMetadata(event, {{"request", call.id_text},
                      {"operation", operation},
                      {"subject", call.subject},
                      {"argument", call.argument},
                      {"act", call.act_seq},
                      {"code", static_cast<int>(error.code)},
                      {"name", Info(error.code).name},
                      {"why", error.message}});
  return event;
}

Error PolicyRefusal(const Decision& decision, const std::string& request_id) {
  std::string message = "refused by policy";
  for (size_t i = 0; i < decision.policies().size(); ++i) {
    message += (i == 0 ? " " : ", ") + decision.policies()[i];
  }
  if (decision.policies().empty()) message += ": no policy permits this call";
  if (!decision.errors().empty()) message += "; a policy could not be evaluated, which means no";
  message += ".";
  for (const std::string& words : decision.obligations().advice) {
    message += " " + words + (words.ends_with('.') ? "" : ".");
  }
  message += " Decision " + request_id + ", policy revision ";
  if (decision.revision_number() > 0) message += std::to_string(decision.revision_number()) + " ";
  message += decision.revision();
  return Error{Code::kForbidden, message};
}

}  // namespace portcullis::gateway
