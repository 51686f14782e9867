#include "inference/serve/mailbox.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace portcullis::inference {
namespace {

constexpr size_t kMaxPendingBytes = 1024 * 1024;
constexpr size_t kEventBytes = 64;

}  // namespace

class Mailbox::ChoiceSink final : public Sink {
 public:
  ChoiceSink(std::shared_ptr<Mailbox> box, int choice) : box_(std::move(box)), choice_(choice) {}

  void OnDelta(Delta delta) override {
    size_t bytes = kEventBytes + delta.content.size() + delta.reasoning.size();
    for (const CallDelta& call : delta.calls) bytes += kEventBytes + call.arguments.size();
    for (const ReportedToken& token : delta.tokens) bytes += kEventBytes * (1 + token.top.size());
    box_->Push({choice_, std::move(delta)}, bytes);
  }
  void OnFinish(FinishReason reason, const Usage& usage) override {
    box_->Push({choice_, Finished{reason, usage}}, kEventBytes);
  }
  void OnError(const Error& error) override { box_->Push({choice_, error}, kEventBytes); }

 private:
  std::shared_ptr<Mailbox> box_;
  int choice_;
};

// The client waits for the whole, so that vectors do not count as unread.
class Mailbox::InputSink final : public EmbedSink {
 public:
  InputSink(std::shared_ptr<Mailbox> box, int input) : box_(std::move(box)), input_(input) {}

  void OnEmbedding(std::vector<float> embedding) override {
    box_->Push({input_, std::move(embedding)}, kEventBytes);
  }
  void OnError(const Error& error) override { box_->Push({input_, error}, kEventBytes); }

 private:
  std::shared_ptr<Mailbox> box_;
  int input_;
};

std::shared_ptr<EmbedSink> Mailbox::EmbedSinkFor(int input) {
  return std::make_shared<InputSink>(shared_from_this(), input);
}

std::shared_ptr<Sink> Mailbox::SinkFor(int choice) {
  return std::make_shared<ChoiceSink>(shared_from_this(), choice);
}

void Mailbox::Push(Event event, size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (overflow_) return;
    bytes_ += bytes;
    if (bytes_ > kMaxPendingBytes) {
      overflow_ = true;
      event.what = Error{Code::kTimeout, "the client reads its answer too slowly"};
    }
    events_.push_back(std::move(event));
    if (events_.size() > 1) return;
  }
  boost::asio::post(timer_.get_executor(), [self = shared_from_this()] { self->timer_.cancel(); });
}

boost::asio::awaitable<std::vector<Event>> Mailbox::Take(
    std::chrono::steady_clock::duration patience) {
  std::vector<Event> taken;
  const auto take = [&] {
    const std::lock_guard lock(mutex_);
    taken.swap(events_);
    bytes_ = 0;
  };
  take();
  const auto until = std::chrono::steady_clock::now() + patience;
  // A cancel that was posted for events taken since may end a wait before its time.
  while (taken.empty() && !closed_ && std::chrono::steady_clock::now() < until) {
    timer_.expires_at(until);
    co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    take();
  }
  co_return taken;
}

void Mailbox::Close() {
  closed_ = true;
  timer_.cancel();
}

}  // namespace portcullis::inference
