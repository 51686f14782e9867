// What a writer does about a hardware counter that does not answer. counter_keeper.h.

#include <algorithm>

#include "audit/writer.h"

namespace portcullis::audit {

std::string Writer::CounterWords() const { return counter_ ? counter_->Words() : kNoCounterWords; }

// Where somebody else moved it, the log ends, and no start succeeds after: the step that the memory had announced would
// be taken for the other's.
Result<void> Writer::CheckCounter() {
  const auto moved = counter_ ? counter_->Moved() : std::nullopt;
  if (!moved) return Ok();
  signer_.set_counter(counter_->Own());
  if (auto saved = signer_.Save(); !saved) Say("the counter's step could not be taken back: " + saved.error().message);
  return Refuted(*moved);
}

// That it has ceased to answer, or answers again, is said in words, and in the log by a heartbeat at once.
void Writer::LookAtCounter() {
  if (!counter_ || !CheckCounter()) return;
  const auto news = counter_->News();
  if (!news) return;
  Say(*news);
  next_heartbeat_ = std::chrono::steady_clock::now();
}

// A log that could be put back unseen takes no more than the ends of requests that it holds already.
std::optional<Error> Writer::RefusedByCounter(const Append& append) const {
  const auto closes = [](const Event& event) { return event.kind == Kind::kResp || event.kind == Kind::kAbort; };
  const bool only_closes = !append.events.empty() && std::all_of(append.events.begin(), append.events.end(), closes);
  return counter_ && !only_closes ? counter_->Refusal() : std::nullopt;
}

}  // namespace portcullis::audit
