#include "inference/serve/answering.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <optional>
#include <utility>

namespace portcullis::inference {
namespace {

namespace net = boost::asio;

constexpr auto kLongTime = std::chrono::hours(1);

std::string Data(const boost::json::object& body) {
  return "data: " + boost::json::serialize(body) + "\n\n";
}

bool AllFinished(const std::vector<Choice>& choices) {
  return std::all_of(choices.begin(), choices.end(), [](const Choice& c) { return c.finished; });
}

void Settle(Choice& choice, const Finished& finished) {
  choice.finished = true;
  choice.reason = finished.reason;
  choice.usage = finished.usage;
}

Outcome Sum(unsigned status, const std::vector<Choice>& choices) {
  Outcome outcome{status, {}};
  for (const Choice& choice : choices) {
    outcome.usage.prompt_tokens = std::max(outcome.usage.prompt_tokens, choice.usage.prompt_tokens);
    outcome.usage.completion_tokens += choice.usage.completion_tokens;
    outcome.usage.reasoning_tokens += choice.usage.reasoning_tokens;
  }
  return outcome;
}

// The events of one delta; reasoning before content before calls, never two in one chunk.
std::string Deltas(const Reply& reply, int index, Choice& choice, Delta& delta) {
  std::string text;
  if (!delta.reasoning.empty()) {
    Delta reasoning;
    reasoning.reasoning = std::move(delta.reasoning);
    delta.reasoning.clear();
    text += Data(reply.Middle(index, reasoning));
  }
  if (!delta.content.empty() || !delta.tokens.empty()) text += Data(reply.Middle(index, delta));
  for (const CallDelta& call : delta.calls) {
    choice.Add(call);
    text += Data(reply.CallChunk(index, choice, call));
  }
  return text;
}

}  // namespace

net::awaitable<Outcome> AnswerStream(std::shared_ptr<Connection> connection,
                                     std::shared_ptr<Mailbox> box, const Reply& reply,
                                     const Call& call, const std::vector<std::string>& echoes,
                                     std::chrono::steady_clock::duration keep_alive) {
  std::vector<Choice> choices(static_cast<size_t>(call.answers()));
  bool sent = co_await connection->BeginEvents();
  connection->WatchClient(box);
  std::string text;
  for (int i = 0; i < call.answers(); ++i) {
    const std::string& echo = echoes[static_cast<size_t>(i)];
    if (call.chat) text += Data(reply.First(i));
    if (!echo.empty()) text += Data(reply.Middle(i, Delta{{}, echo, {}, {}}));
  }
  while (sent) {
    if (!text.empty()) {
      sent = co_await connection->SendEvents(std::exchange(text, {}));
      if (!sent) break;
    }
    if (AllFinished(choices)) break;
    std::vector<Event> events = co_await box->Take(keep_alive);
    if (box->closed()) break;
    if (events.empty()) text = ": keep-alive\n\n";
    for (Event& event : events) {
      Choice& choice = choices[static_cast<size_t>(event.choice)];
      if (auto* delta = std::get_if<Delta>(&event.what)) {
        text += Deltas(reply, event.choice, choice, *delta);
      } else if (const auto* finished = std::get_if<Finished>(&event.what)) {
        Settle(choice, *finished);
        text += Data(reply.Last(event.choice, choice));
      } else {
        const ApiError error = ToApiError(std::get<Error>(event.what));
        text += Data(ErrorBody(error));
        co_await connection->SendEvents(std::move(text));
        co_await connection->EndEvents();
        co_return Sum(error.status, choices);
      }
    }
  }
  if (!sent || box->closed()) co_return Sum(499, choices);
  if (call.include_usage) text += Data(reply.UsageChunk(choices));
  text += "data: [DONE]\n\n";
  co_await connection->SendEvents(std::move(text));
  co_await connection->EndEvents();
  co_return Sum(200, choices);
}

net::awaitable<Outcome> AnswerWhole(std::shared_ptr<Connection> connection,
                                    std::shared_ptr<Mailbox> box, const Reply& reply,
                                    const Call& call, const std::vector<std::string>& echoes) {
  std::vector<Choice> choices(static_cast<size_t>(call.answers()));
  for (size_t i = 0; i < choices.size(); ++i) choices[i].content = echoes[i];
  connection->WatchClient(box);
  while (!AllFinished(choices)) {
    std::vector<Event> events = co_await box->Take(kLongTime);
    if (box->closed()) co_return Sum(499, choices);
    for (Event& event : events) {
      Choice& choice = choices[static_cast<size_t>(event.choice)];
      if (auto* delta = std::get_if<Delta>(&event.what)) {
        choice.reasoning += delta->reasoning;
        choice.content += delta->content;
        for (const CallDelta& made : delta->calls) choice.Add(made);
        std::move(delta->tokens.begin(), delta->tokens.end(), std::back_inserter(choice.tokens));
      } else if (const auto* finished = std::get_if<Finished>(&event.what)) {
        Settle(choice, *finished);
      } else {
        const ApiError error = ToApiError(std::get<Error>(event.what));
        co_await connection->SendError(error, false);
        co_return Sum(error.status, choices);
      }
    }
  }
  const boost::json::object body = reply.Whole(choices);
  co_await connection->SendJson(200, body, false);
  co_return Sum(200, choices);
}

}  // namespace portcullis::inference
