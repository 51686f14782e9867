#include "gateway/record/refusal_summary.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace portcullis::gateway {

void RefusalSummary::Count(Code code, bool identified) {
  const size_t index = static_cast<size_t>(code) % kCodes;
  (identified ? identified_ : strangers_)[index].fetch_add(1, std::memory_order_relaxed);
}

std::optional<audit::Event> RefusalSummary::Take() {
  boost::json::object strangers;
  boost::json::object identified;
  for (size_t i = 0; i < kCodes; ++i) {
    const auto name = Info(static_cast<Code>(i)).name;
    if (const uint64_t n = strangers_[i].exchange(0, std::memory_order_relaxed)) strangers[name] = n;
    if (const uint64_t n = identified_[i].exchange(0, std::memory_order_relaxed)) identified[name] = n;
  }
  if (strangers.empty() && identified.empty()) return std::nullopt;
  audit::Event event;
  event.kind = audit::Kind::kAbuse;
  event.subject = "gateway";
  event.parts.push_back(
      {audit::PartType::kMetadata,
       boost::json::serialize(boost::json::object{{"refused_strangers", std::move(strangers)},
                                                  {"refused_identified", std::move(identified)}})});
  return event;
}

}  // namespace portcullis::gateway
