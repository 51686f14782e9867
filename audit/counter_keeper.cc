#include "audit/counter_keeper.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "audit/bytes.h"

namespace portcullis::audit {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kGoodbye{500};  // for a thread that does not hang

Error Silent(const std::string& why) {
  return Error{Code::kCounter, "the hardware counter does not answer: " + why};
}

std::string Stands(uint64_t value, uint64_t expected) {
  return " stands at " + std::to_string(value) + ", the signer's memory at " + std::to_string(expected);
}

// Brings the counter from the value below to `target`. `asked`: an increment went out and its answer did not come, so
// that it may stand there by our own act; otherwise it was somebody else's.
Result<void> Advance(MonotonicCounter& counter, uint64_t target, bool& asked) {
  BOOST_OUTCOME_TRY(uint64_t value, counter.Read());
  if (value == target && asked) return Ok();
  if (value + 1 == target) {
    asked = true;
    BOOST_OUTCOME_TRY(value, counter.Increment());
    if (value == target) return Ok();
  }
  return Error{Code::kForked, counter.Words() + " stands at " + std::to_string(value) + ", it was left at " +
                                  std::to_string(target - 1) +
                                  ": a copy of this log runs elsewhere, or somebody else moved the counter"};
}

}  // namespace

// What the owner and the thread have in common.
struct CounterKeeper::Shared {
  explicit Shared(const CounterOptions& given) : options(given) {}

  void Run() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [this] { return closing || !jobs.empty(); });
      if (closing) break;
      const std::function<void()> job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job();
      lock.lock();
    }
    options.counter.reset();
    ended = true;
    wake.notify_all();
  }

  // Runs it on the thread and waits for the result, not longer than the patience.
  template <class T>
  Result<T> Ask(std::function<Result<T>(MonotonicCounter&)> question) {
    struct Answer {
      std::optional<Result<T>> result;
    };
    auto answer = std::make_shared<Answer>();
    std::unique_lock lock(mutex);
    jobs.push_back([this, answer, question = std::move(question)] {
      Result<T> result = question(*options.counter);
      const std::lock_guard guard(mutex);
      answer->result = std::move(result);
      wake.notify_all();
    });
    wake.notify_all();
    if (!wake.wait_for(lock, options.patience, [&] { return answer->result.has_value(); })) {
      return Silent("nothing came within " + std::to_string(options.patience.count()) + " ms");
    }
    return std::move(*answer->result);
  }

  // On the thread: until it is done, refuted, or nobody wants it any more.
  void StepTo(uint64_t target) {
    for (bool asked = false;;) {
      const auto done = Advance(*options.counter, target, asked);
      std::unique_lock lock(mutex);
      if (done) {
        value = target;
        due_since.reset();
        trouble.clear();
      } else if (done.error().code == Code::kForked) {
        moved = done.error();
      } else {
        trouble = done.error().message;
      }
      wake.notify_all();
      if (done || moved) return;
      if (wake.wait_for(lock, options.retry, [this] { return closing; })) return;
    }
  }

  bool Answers() const {
    return !due_since || (trouble.empty() && steady_clock::now() - *due_since <= options.patience);
  }
  std::string Why() const { return trouble.empty() ? "it was asked and says nothing" : trouble; }

  CounterOptions options;
  Hash name{};
  std::string words;
  mutable std::mutex mutex;          // guards all below
  std::condition_variable wake;
  std::deque<std::function<void()>> jobs;
  bool closing = false;
  bool ended = false;                // the thread has let go of the counter
  uint64_t value = 0;                // where the counter stands
  uint64_t wanted = 0;               // where it is to stand
  uint64_t followed = 0;             // where the thread was told to bring it
  steady_clock::time_point next_step;
  std::optional<steady_clock::time_point> due_since;  // a step that is not done
  std::string trouble;               // why not
  std::optional<Error> moved;
};

CounterKeeper::CounterKeeper(const CounterOptions& options) : shared_(std::make_shared<Shared>(options)) {
  thread_ = std::thread([shared = shared_] { shared->Run(); });
}

CounterKeeper::~CounterKeeper() {
  std::unique_lock lock(shared_->mutex);
  shared_->closing = true;
  shared_->wake.notify_all();
  const bool ended = shared_->wake.wait_for(lock, kGoodbye, [this] { return shared_->ended; });
  lock.unlock();
  // It may hang in the hardware's driver for ever.
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

Result<std::unique_ptr<CounterKeeper>> CounterKeeper::Meet(const CounterOptions& options, Signer& signer,
                                                           bool overridden) {
  using Found = MonotonicCounter::Found;
  using Use = CounterMemory::Use;
  CounterMemory memory = signer.counter();
  if (options.counter == nullptr) {
    if (memory.use == Use::kNone) return std::unique_ptr<CounterKeeper>();
    return Error{Code::kCounter, "this log counts on a hardware counter (name " + Hex(memory.name) +
                                     "): start with --tpm-counter, or override with two officers' keys"};
  }
  std::unique_ptr<CounterKeeper> keeper(new CounterKeeper(options));
  Shared& shared = *keeper->shared_;
  BOOST_OUTCOME_TRY(const Found found,
                    shared.Ask<Found>([](MonotonicCounter& counter) { return counter.Find(); }));
  shared.words = options.counter->Words();
  if (memory.use != Use::kInUse && found == Found::kForeign && !overridden) {
    return Error{Code::kExists, shared.words + " is another log's or program's: choose a free --tpm-index"};
  }
  if (memory.use == Use::kNone) {
    if (found == Found::kOurs) {
      return Error{Code::kRolledBack, shared.words + " belongs to this log, whose memory knows of none: an old copy "
                                                     "of the machine was put back"};
    }
    if (signer.size() > 0 && !options.create) {
      return Error{Code::kCounter, "this log began without a hardware counter, or an old copy of it was put back; "
                                   "--tpm-create gives it one from now on"};
    }
    memory.use = Use::kBeingCreated;
    signer.set_counter(memory);
    BOOST_OUTCOME_TRY(signer.Save());
  }
  if (memory.use == Use::kBeingCreated) {
    const auto made = shared.Ask<uint64_t>([](MonotonicCounter& counter) -> Result<uint64_t> {
      BOOST_OUTCOME_TRY(counter.Create());
      return counter.Read();
    });
    if (!made) {  // where none came into being, the memory forgets that one was to be made
      const auto now = shared.Ask<Found>([](MonotonicCounter& counter) { return counter.Find(); });
      if (now && now.value() != Found::kOurs) {
        signer.set_counter({});
        BOOST_OUTCOME_TRY(signer.Save());
      }
      return made.error();
    }
    memory.value = made.value();
    memory.use = Use::kInUse;
    memory.name = options.counter->Name();
    signer.set_counter(memory);
    BOOST_OUTCOME_TRY(signer.Save());
  } else if (found != Found::kOurs || options.counter->Name() != memory.name) {
    return Error{Code::kRolledBack, "this log's hardware counter (name " + Hex(memory.name) + ") is not there: " +
                                        shared.words +
                                        (found == Found::kMissing ? " does not exist" : " is another one") +
                                        ". Was it deleted, the TPM cleared, or the disk moved to another machine?"};
  }
  BOOST_OUTCOME_TRY(const uint64_t value,
                    shared.Ask<uint64_t>([](MonotonicCounter& counter) { return counter.Read(); }));
  if (value > memory.value) {
    return Error{Code::kRolledBack, shared.words + Stands(value, memory.value) +
                                        ": an old copy of the machine was put back, or a copy of this log ran"};
  }
  if (value + 1 < memory.value) {
    return Error{Code::kRolledBack, shared.words + Stands(value, memory.value) + ": it is not the same counter"};
  }
  shared.name = memory.name;
  shared.words = options.counter->Words();
  shared.value = shared.wanted = value;
  return keeper;
}

Result<void> CounterKeeper::Start(Signer& signer) {
  const auto step = [this](uint64_t target) -> Result<void> {
    const auto done = shared_->Ask<void>([target](MonotonicCounter& counter) {
      bool asked = false;
      return Advance(counter, target, asked);
    });
    const std::lock_guard guard(shared_->mutex);
    if (done) shared_->value = target;
    else if (done.error().code == Code::kForked) shared_->moved = done.error();
    return done;
  };
  // A step that the memory had announced and the counter had not taken comes first: copies of the memory of that time
  // fit its value, and must not fit the value that this start goes on with.
  const uint64_t announced = signer.counter().value;
  if (announced > shared_->value) {
    BOOST_OUTCOME_TRY(step(announced));
  }
  const uint64_t target = announced + 1;
  signer.set_counter({CounterMemory::Use::kInUse, shared_->name, target});
  BOOST_OUTCOME_TRY(signer.Save());
  BOOST_OUTCOME_TRY(step(target));
  const std::lock_guard guard(shared_->mutex);
  shared_->wanted = shared_->followed = target;
  shared_->next_step = steady_clock::now() + shared_->options.period;
  return Ok();
}

uint64_t CounterKeeper::Wanted(bool at_once) {
  const std::lock_guard guard(shared_->mutex);
  const bool idle = shared_->wanted == shared_->value;
  if (idle && (at_once || steady_clock::now() >= shared_->next_step)) {
    ++shared_->wanted;
    shared_->due_since = steady_clock::now();
    shared_->next_step = steady_clock::now() + shared_->options.period;
  }
  return shared_->wanted;
}

void CounterKeeper::Follow(uint64_t value) {
  const std::lock_guard guard(shared_->mutex);
  if (value <= shared_->followed) return;
  shared_->followed = value;
  shared_->jobs.push_back([shared = shared_.get(), value] { shared->StepTo(value); });
  shared_->wake.notify_all();
}

void CounterKeeper::Finish() {
  std::unique_lock lock(shared_->mutex);
  const auto ended = [this] {
    return shared_->value == shared_->followed || shared_->moved || !shared_->Answers();
  };
  shared_->wake.wait_for(lock, shared_->options.patience, ended);
}

void CounterKeeper::Mark(Event& event) const {
  const std::lock_guard guard(shared_->mutex);
  event.model_hash = shared_->name;
  std::string id;
  ByteWriter out(id);
  out.Put(shared_->Answers() ? uint64_t{0} : kCounterSilent);
  out.Put(shared_->value);
  std::copy(id.begin(), id.end(), event.request_id.begin());
}

bool CounterKeeper::Waits() const {
  const std::lock_guard guard(shared_->mutex);
  return shared_->due_since.has_value() || shared_->moved.has_value();
}

std::optional<std::string> CounterKeeper::News() {
  const std::lock_guard guard(shared_->mutex);
  const bool answers = shared_->Answers();
  if (std::exchange(told_, answers) == answers) return std::nullopt;
  if (answers) return shared_->words + " answers again, at " + std::to_string(shared_->value);
  return Silent(shared_->Why()).message + "; appends are refused when that lasts " +
         std::to_string(shared_->options.period.count() / 60'000) + " minutes";
}

std::optional<Error> CounterKeeper::Refusal() const {
  const std::lock_guard guard(shared_->mutex);
  if (shared_->moved) return shared_->moved;
  if (!shared_->due_since || steady_clock::now() - *shared_->due_since <= shared_->options.period) return std::nullopt;
  return Silent(shared_->Why() + "; appends are refused until it does");
}

std::optional<Error> CounterKeeper::Moved() const {
  const std::lock_guard guard(shared_->mutex);
  return shared_->moved;
}

CounterMemory CounterKeeper::Own() const {
  const std::lock_guard guard(shared_->mutex);
  return {CounterMemory::Use::kInUse, shared_->name, shared_->value};
}

std::string CounterKeeper::Words() const {
  const std::lock_guard guard(shared_->mutex);
  return shared_->words + ", at " + std::to_string(shared_->value);
}

}  // namespace portcullis::audit
