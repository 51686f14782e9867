#include "inference/serve/status.h"

namespace portcullis::inference {

namespace json = boost::json;

json::object StatusBody(const SchedulerCounters& c) {
  const auto waiting = [&](Priority priority) {
    return c.waiting_by_priority[static_cast<size_t>(priority)];
  };
  json::object body;
  body["running"] = c.running;
  body["waiting"] = json::object{{"all", c.waiting},
                                 {"interactive", waiting(Priority::kInteractive)},
                                 {"normal", waiting(Priority::kNormal)},
                                 {"batch", waiting(Priority::kBatch)}};
  body["requests"] = json::object{{"finished", c.finished}, {"failed", c.failed},
                                  {"cancelled", c.cancelled}, {"refused", c.refused},
                                  {"expired", c.expired}, {"preempted", c.preemptions},
                                  {"embeddings", c.embeddings}};
  body["steps"] = json::object{{"count", c.steps}, {"seconds", c.step_seconds}};
  body["tokens"] = json::object{{"prompt", c.prompt_tokens}, {"generated", c.generated_tokens}};
  body["pages"] = json::object{{"total", c.pages_total}, {"used", c.pages_used},
                               {"tokens_each", c.page_tokens}, {"bytes_used", c.kv_bytes_used}};
  body["prefix_cache"] = json::object{{"prefixes", c.cached_prefixes},
                                      {"tokens", c.cached_tokens},
                                      {"hit_tokens", c.prefix_hit_tokens},
                                      {"miss_tokens", c.prefix_miss_tokens},
                                      {"evicted_pages", c.prefix_evictions}};
  body["speculation"] =
      json::object{{"drafted", c.drafted_tokens}, {"accepted", c.accepted_tokens}};
  return body;
}

}  // namespace portcullis::inference
