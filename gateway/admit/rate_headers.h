// The figures behind x-ratelimit-{limit,remaining,reset}-{requests,tokens}, retry-after and
// retry-after-ms, and their text in OpenAI's form (durations such as `12ms`, `1.5s`, `6m0s`).
// Plain values; no state.
#pragma once

#include <cstdint>
#include <string>

namespace portcullis::gateway {

struct RateState {
  uint64_t limit = 0;  // per minute; 0: no such limit, no header
  uint64_t remaining = 0;
  int64_t reset_ns = 0;
};

struct RateHeaders {
  RateState requests{};
  RateState tokens{};
};

// "0s", "12ms", "1.5s", "6m0s", "1h0m0s"; rounded up to the millisecond.
std::string FormatDuration(int64_t ns);

// Calls emit(name, value) for each header that applies. `retry_after_ms` < 0: none.
template <class Emit>
void ForEachRateHeader(const RateHeaders& headers, int64_t retry_after_ms, Emit emit) {
  if (headers.requests.limit != 0) {
    emit("x-ratelimit-limit-requests", std::to_string(headers.requests.limit));
    emit("x-ratelimit-remaining-requests", std::to_string(headers.requests.remaining));
    emit("x-ratelimit-reset-requests", FormatDuration(headers.requests.reset_ns));
  }
  if (headers.tokens.limit != 0) {
    emit("x-ratelimit-limit-tokens", std::to_string(headers.tokens.limit));
    emit("x-ratelimit-remaining-tokens", std::to_string(headers.tokens.remaining));
    emit("x-ratelimit-reset-tokens", FormatDuration(headers.tokens.reset_ns));
  }
  if (retry_after_ms >= 0) {
    emit("retry-after", std::to_string((retry_after_ms + 999) / 1000));
    emit("retry-after-ms", std::to_string(retry_after_ms));
  }
}

}  // namespace portcullis::gateway
