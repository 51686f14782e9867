// Step "infer": the treated call goes to its site and comes back as a stream; other operations are
// answered from what the gateway knows itself.
#include <boost/json/serialize.hpp>

#include "gateway/admin/operations.h"
#include "gateway/infer/embedding_answer.h"
#include "gateway/infer/model_list.h"
#include "gateway/record/receipt.h"
#include "gateway/walk.h"

namespace portcullis::gateway {

namespace asio = boost::asio;

namespace {

std::string_view PathOf(CallKind kind) {
  switch (kind) {
    case CallKind::kChat: return "/v1/chat/completions";
    case CallKind::kText: return "/v1/completions";
    case CallKind::kEmbedding: return "/v1/embeddings";
  }
  return "/v1/chat/completions";
}

// An engine's words in an error pass the filter of its answers, or do not pass.
Error Filtered(const Call& call, Error error) {
  const auto classes = policy::RedactionPolicy::Of(call.services.config.redact_output);
  auto words = classes ? policy::Redact(call.services.detectors, classes.value(), error.message)
                       : policy::Result<std::string>(classes.error());
  error.message = words ? std::move(words.value()) : "the inference engine refused the call";
  return error;
}

asio::awaitable<Result<Answer>> Forward(Call& call, const Identity& who, const Decision& decision,
                                        AuditPermit permit) {
  boost::json::value body = call.chat->body;
  if (decision.treatment() == Treatment::kRedacted) {
    if (call.chat->unreadable) {
      co_return Error{Code::kFilterFailed, "token ids cannot be redacted; send text instead"};
    }
    auto redacted = RedactStrings(body, call.services.detectors);
    if (!redacted) co_return redacted.error();
  }
  const auto list = call.services.sites.Load();
  const Site* site = list->Find(decision.site());
  if (!site) co_return Error{Code::kUpstreamUnavailable, "the chosen site is gone", "", 1000};

  UpstreamRequest request;
  request.socket = site->socket;
  request.path = PathOf(call.chat->kind);
  request.body = boost::json::serialize(body);
  request.request_id = call.id_text;
  request.tenant = who.tenant().id;
  request.priority = who.kind() == EntityKind::kUser ? "interactive" : "normal";
  UpstreamStream* opening = nullptr;
  call.exchange.OnPeerGone([&opening] {
    if (opening) opening->Cancel();
  });
  auto stream = co_await call.services.upstream.Open(request, std::move(permit), &opening);
  call.exchange.OnPeerGone({});
  // A caller who leaves while an engine works owes what it has read; an engine computes all
  // embeddings before it answers at all.
  const bool accepted = stream.has_value();
  const bool computing = call.chat->kind == CallKind::kEmbedding && call.exchange.peer_gone();
  if (accepted || computing) call.prompt_tokens = call.chat->prompt_estimate;
  if (call.exchange.peer_gone()) co_return Error{Code::kPeerGone, "the client left"};
  if (!stream) co_return Filtered(call, stream.error());
  if (call.chat->kind == CallKind::kEmbedding) {
    auto whole = co_await stream.value()->Whole();
    if (!whole) co_return whole.error();
    co_return ReadEmbeddings(whole.value(), *call.chat);
  }
  Answer answer;
  answer.stream = std::move(stream.value());
  co_return answer;
}

}  // namespace

asio::awaitable<Result<Answer>> Infer(Call& call, const Identity& who, const Decision& decision,
                                      AuditPermit permit) {
  if (call.chat) co_return co_await Forward(call, who, decision, std::move(permit));
  if (call.route->access == Access::kAdmin) co_return co_await Administer(call);
  if (call.route->operation == Operation::kReceipt) co_return co_await GiveReceipt(call);
  co_return ListModels(call, decision);
}

}  // namespace portcullis::gateway
