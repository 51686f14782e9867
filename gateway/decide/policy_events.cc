#include "gateway/decide/policy_events.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace portcullis::gateway {

namespace asio = boost::asio;
namespace revise = policy::revise;

namespace {

constexpr std::chrono::seconds kInterval{1};
constexpr int kPatience = 30;  // intervals in which the log may take nothing

bool ChangesWhatIsInForce(revise::EventKind kind) {
  return kind == revise::EventKind::kSeed || kind == revise::EventKind::kActivate ||
         kind == revise::EventKind::kRollback;
}

// Gives the flag back on every path.
struct Turn {
  explicit Turn(std::atomic<bool>& flag) : taken(!flag.exchange(true)), flag_(flag) {}
  ~Turn() {
    if (taken) flag_.store(false);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  const bool taken;

 private:
  std::atomic<bool>& flag_;
};

}  // namespace

audit::Event PolicyEvent(const revise::SealedEvent& change) {
  const revise::Event& said = change.event;
  const std::string name(revise::NameOf(said.kind));
  const std::string revision = std::to_string(said.revision);
  audit::Event event;
  event.kind = ChangesWhatIsInForce(said.kind) ? audit::Kind::kConfig : audit::Kind::kAdmin;
  event.subject = said.actor;
  event.policy_hash = said.content;
  event.outcome = 1;
  event.tags = {"user:" + said.actor, "operation:policy_" + name, "policy_revision:" + revision};
  boost::json::object metadata{
      {"what", "policy revision " + revision + ": " + name + " by " + said.actor},
      {"operation", "policy_" + name},
      {"subject", said.actor},
      {"argument", "revision " + revision + " " + revise::HashText(said.content)},
      {"revision", said.revision},
      {"policy_revision", revise::HashText(said.content).substr(0, 19)},
      {"detail", said.detail},
      {"event", said.seq},
      {"event_hash", revise::HashText(change.hash)}};
  if (said.until != 0) metadata["until"] = said.until;
  if (said.statement) metadata["signed_by"] = revise::KeyText(said.statement->key);
  event.parts.push_back({audit::PartType::kMetadata, boost::json::serialize(metadata)});
  return event;
}

asio::awaitable<Result<void>> NotePolicyChanges(PolicyKeeper& keeper, Store& state,
                                                Recorder& recorder) {
  const Turn turn(keeper.noting());
  if (!turn.taken) co_return boost::outcome_v2::success();  // somebody is at it
  auto unnoted = co_await state.Run([&](Store&) { return keeper.Unnoted(); });
  if (!unnoted) co_return unnoted.error();
  for (const revise::SealedEvent& change : unnoted.value()) {
    std::vector<audit::Event> events;
    events.push_back(PolicyEvent(change));
    auto noted = co_await recorder.Note(std::move(events));
    if (!noted) co_return noted.error();
    const uint64_t seq = change.event.seq;
    auto marked = co_await state.Run([&](Store&) { return keeper.MarkNoted(seq); });
    if (!marked) co_return marked.error();
  }
  co_return boost::outcome_v2::success();
}

asio::awaitable<void> WatchPolicy(asio::io_context& core, PolicyKeeper& keeper, Store& state,
                                  Recorder& recorder, RequestLog& log) {
  asio::steady_timer timer(core);
  int failures = 0;
  while (keeper.has_store()) {
    auto noted = co_await NotePolicyChanges(keeper, state, recorder);
    failures = noted ? 0 : failures + 1;
    if (failures == 1) log.Event(LogLevel::kError, "policy", noted.error().message);
    const bool failing = failures >= kPatience;
    auto changed = co_await state.Run([&](Store&) { return keeper.Watch(failing); });
    if (!changed) {
      log.Event(LogLevel::kError, "policy", changed.error().message);
    } else if (changed.value()) {
      log.Event(LogLevel::kWarning, "policy",
                "rolled back; revision " + std::to_string(keeper.snapshot().Load()->number) +
                    " is in force again");
    }
    timer.expires_after(kInterval);
    auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
  }
}

}  // namespace portcullis::gateway
