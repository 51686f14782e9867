// What a writer does about a hardware counter that does not answer. counter_keeper.h.

#include <algorithm>

#include "audit/writer.h"

namespace portcullis::audit {

std::string Writer::CounterWords() const { return counter_ ? counter_->Words() : kNoCounterWords; }

// That it has ceased to answer, or answers again, is said in words, and in the log by a heartbeat at once. Where
// somebody else moved it, the log ends.
void Writer::LookAtCounter() {
  if (!counter_) return;
  if (const auto moved = counter_->Moved()) {
    (void)Refuted(*moved);
    return;
  }
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
