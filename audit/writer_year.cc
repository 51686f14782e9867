// Destroying the tag key of a year: after it, whoever has the key store cannot find or guess anybody by name among
// that year's records. The way of an erasure: noted in the key store → ERASE, whose outcome is the year, durable →
// the key is gone, the key store re-encrypted under a new salt (writer_erase.cc; a start goes on with what is noted).
// Refused while the year is not over, while the key of somebody's content of it is there, and under a legal hold.
// On the writer's thread. ERASURE in FORMAT.md.

#include <algorithm>

#include "audit/json.h"
#include "audit/writer.h"

namespace portcullis::audit {
namespace {

constexpr size_t kMaxReason = 1024;

// Whether the week of the key has a day in the year: the key itself does not say of which year its tag is.
bool Touches(const SubjectKeyId& key, uint32_t year) {
  const uint64_t first = uint64_t{key.period} * kPeriodDays * kDayUs;
  return EpochOf(first) <= year && year <= EpochOf(first + kPeriodDays * kDayUs - 1);
}

}  // namespace

Event Writer::YearEvent(uint32_t year, const std::string& metadata) {
  Event event;
  event.kind = Kind::kErase;
  event.outcome = static_cast<uint16_t>(year);
  event.parts.push_back(Part{PartType::kMetadata, metadata});
  return event;
}

Result<std::string> Writer::ActDestroyYear(const ActJob& job) {
  const auto argument = [&job](const char* name) {
    const auto found = job.request.arguments.find(name);
    return found == job.request.arguments.end() ? std::string() : found->second;
  };
  const auto number = ParseDecimal(argument("year"));
  const std::string reason = argument("reason");
  if (!number || number.value() < kFirstYear || number.value() > UINT16_MAX || reason.empty() || reason.size() > kMaxReason) {
    return Error{Code::kInvalidArgument, "destroy-year: `year` (like 2024) and `reason` are needed"};
  }
  const auto year = static_cast<uint32_t>(number.value());
  const std::string name = std::to_string(year);
  if (year >= EpochOf(options_.clock().wall_us)) {
    return Error{Code::kInvalidArgument, "destroy-year: " + name + " is not over, its key is in use"};
  }
  KeyStore& store = composer_->keys();
  if (const auto key = store.TagKey(year); !key) {
    if (key.error().code != Code::kNotFound) return key.error();
    return Error{Code::kNotFound, "destroy-year: there is no tag key of " + name};
  }
  JsonObject facts;
  facts.Add("year", uint64_t{year});
  facts.Add("reason", reason);
  facts.Add("uid", uint64_t{job.uid});
  BOOST_OUTCOME_TRY(const std::vector<Hold> holds, store.Holds());
  if (!holds.empty()) {
    Event refused = YearEvent(year, facts.Text());
    refused.outcome = static_cast<uint16_t>(EraseOutcome::kRefusedByHold);
    BOOST_OUTCOME_TRY(WriteEvents({refused}));
    return Error{Code::kHeld, "destroy-year: a legal hold is in force, of somebody who may have records of " + name +
                                  "; the attempt is recorded. `portcullis audit hold` lists holds"};
  }
  BOOST_OUTCOME_TRY(const std::vector<Tag> own, composer_->SubjectTags(kSystemSubject));
  BOOST_OUTCOME_TRY(const std::vector<SubjectKeyId> keys, store.SubjectKeys());
  const auto left = std::ranges::count_if(keys, [&](const SubjectKeyId& key) {
    return Touches(key, year) && std::ranges::find(own, key.subject) == own.end();
  });
  if (left > 0) {
    return Error{Code::kPermission, "destroy-year: " + std::to_string(left) + " subject keys of " + name +
                                        " are there; their content must expire or be erased first, by name nobody "
                                        "could find it any more"};
  }
  BOOST_OUTCOME_TRY(DestroyKeys(0, {}, {}, {YearEvent(year, facts.Text())}, year));
  Say("the tag key of " + name + " is destroyed");
  return name;
}

}  // namespace portcullis::audit
