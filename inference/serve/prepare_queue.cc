#include "inference/serve/prepare_queue.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "inference/schedule/door.h"

namespace portcullis::inference {
namespace {

namespace net = boost::asio;

constexpr size_t kPlaceBytes = 32 * 1024;
constexpr auto kMemoryPause = std::chrono::milliseconds(10);

using PreparationPtr = std::shared_ptr<Preparation>;

}  // namespace

// One line a tenant; the front one's turn is next, then it goes to the back.
struct Preparation::Lines {
  explicit Lines(size_t places) : door(places) {}

  struct Line {
    std::string tenant;
    std::deque<PreparationPtr> members;
  };

  void Add(const PreparationPtr& task) {
    const auto own = std::find_if(lines.begin(), lines.end(), [&](const Line& line) {
      return line.tenant == task->caller_.tenant;
    });
    if (own != lines.end()) {
      own->members.push_back(task);
    } else {
      lines.push_back(Line{task->caller_.tenant, {task}});
    }
    ++waiting;
  }
  PreparationPtr Next() {
    Line line = std::move(lines.front());
    lines.pop_front();
    PreparationPtr task = std::move(line.members.front());
    line.members.pop_front();
    if (!line.members.empty()) lines.push_back(std::move(line));
    --waiting;
    return task;
  }
  // False where it does not wait any more.
  bool Remove(const PreparationPtr& task) {
    for (auto line = lines.begin(); line != lines.end(); ++line) {
      const auto at = std::find(line->members.begin(), line->members.end(), task);
      if (at == line->members.end()) continue;
      line->members.erase(at);
      if (line->members.empty()) lines.erase(line);
      --waiting;
      return true;
    }
    return false;
  }

  Door door;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<Line> lines;  // guarded by mutex, as is what follows
  size_t waiting = 0;
  bool stopped = false;
  bool joining = false;
};

Preparation::Preparation(const net::any_io_executor& io, const Caller& caller, size_t places,
                         Work work, const std::shared_ptr<Lines>& lines)
    : caller_(caller), places_(places), lines_(lines), work_(std::move(work)), timer_(io) {}

net::awaitable<Preparation::End> Preparation::Wait() {
  while (!ended_) {
    timer_.expires_at(net::steady_timer::time_point::max());
    co_await timer_.async_wait(net::as_tuple(net::use_awaitable));
  }
  co_return end_;
}

void Preparation::Leave() {
  stop_.request_stop();
  Work unwanted;
  if (const auto lines = lines_.lock()) {
    const std::lock_guard lock(lines->mutex);
    if (lines->Remove(shared_from_this())) {
      unwanted = std::move(work_);
      lines->door.Leave(caller_, places_);
    }
  }
  Finish(End::kLeft);
}

void Preparation::Finish(End end) {
  if (ended_) return;
  ended_ = true;
  end_ = end;
  timer_.cancel();
}

// On the queue's thread. What the work holds is freed there too.
void Preparation::Run() {
  End end = End::kDone;
  try {
    work_(stop_.get_token());
  } catch (const std::exception&) {
    end = End::kFailed;
  }
  work_ = nullptr;
  Tell(end);
}

// Whoever waits is told, and where there is no memory for that, later: it would wait for ever.
void Preparation::Tell(End end) {
  for (;;) {
    try {
      return net::post(timer_.get_executor(), [self = shared_from_this(), end] { self->Finish(end); });
    } catch (const std::bad_alloc&) {
      std::this_thread::sleep_for(kMemoryPause);
    }
  }
}

PrepareQueue::PrepareQueue(net::any_io_executor io, size_t places)
    : io_(std::move(io)), lines_(std::make_shared<Preparation::Lines>(places)) {}

PrepareQueue::~PrepareQueue() {
  Stop();
  {
    const std::lock_guard lock(lines_->mutex);
    lines_->joining = true;
  }
  lines_->wake.notify_all();
  if (thread_.joinable()) thread_.join();
}

void PrepareQueue::Start() {
  thread_ = std::thread([this] { Run(); });
}

void PrepareQueue::Stop() {
  std::vector<PreparationPtr> dropped;
  {
    const std::lock_guard lock(lines_->mutex);
    lines_->stopped = true;
    while (lines_->waiting > 0) dropped.push_back(lines_->Next());
  }
  for (const PreparationPtr& task : dropped) {
    lines_->door.Leave(task->caller_, task->places_);
    task->Finish(Preparation::End::kStopped);
  }
}

PreparationPtr PrepareQueue::Enter(const Caller& caller, size_t bytes, Preparation::Work work) {
  const size_t places = 1 + bytes / kPlaceBytes;
  PreparationPtr task(new Preparation(io_, caller, places, std::move(work), lines_));
  const std::lock_guard lock(lines_->mutex);
  if (lines_->stopped || !lines_->door.Enter(caller, places)) return nullptr;
  try {
    lines_->Add(task);
  } catch (...) {
    lines_->door.Leave(caller, places);
    throw;
  }
  lines_->wake.notify_one();
  return task;
}

size_t PrepareQueue::waiting() const {
  const std::lock_guard lock(lines_->mutex);
  return lines_->waiting;
}

void PrepareQueue::Run() {
  for (;;) {
    PreparationPtr task;
    {
      std::unique_lock lock(lines_->mutex);
      lines_->wake.wait(lock, [&] { return lines_->joining || lines_->waiting > 0; });
      if (lines_->waiting == 0) return;
      task = lines_->Next();
    }
    task->Run();
    lines_->door.Leave(task->caller_, task->places_);
  }
}

}  // namespace portcullis::inference
