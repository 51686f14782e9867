// MB/s of Scanner and Redactor on one core, beside copying the text, counting its words, and (where
// Debian's libhyperscan-dev is installed) Hyperscan with a regular expression per family.
//   classify_bench [MEGABYTES]     every row is the best of five runs in this process
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>

#include "policy/treat/redact.h"
#ifdef PORTCULLIS_HYPERSCAN
#include <hs.h>
#endif

namespace {

using portcullis::policy::BuiltinDetectors;
using portcullis::policy::RedactionPolicy;
using portcullis::policy::Redactor;
using portcullis::policy::Scanner;

constexpr std::string_view kProse =
    "The committee met in room 4 and approved the minutes of the last meeting. Sales rose by 12 % "
    "on the year before, said the chair (who had asked for the figures in March), and nobody "
    "objected: the plan for 2025 goes ahead. \"We are confident\", he wrote to the staff. ";
constexpr std::string_view kLog =
    "2024-03-15T14:30:12.123456Z INFO worker-17 request=8f3a2b1c status=200 bytes=15234 "
    "duration_ms=12.75 path=/api/v1/items/48213?page=2 user_id=99120 retries=0\n";
constexpr std::string_view kSensitive =
    "Write to alice.smith@example.com or +49 30 1234567, card 4111 1111 1111 1111, "
    "IBAN DE89 3704 0044 0532 0130 00, host 10.1.2.3. ";
constexpr std::string_view kForeign =
    "Комитет собрался в марте и утвердил протокол прошлого заседания. "
    "委员会在三月开会并批准了上次会议的记录。";

std::string Fill(std::string_view sample, size_t size) {
  std::string text;
  while (text.size() < size) text += sample;
  return text;
}

double BestMegabytesPerSecond(size_t bytes, const std::function<size_t()>& run) {
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    volatile size_t sink = run();
    (void)sink;
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(bytes) / 1e6 / taken.count());
  }
  return best;
}

size_t ScanAll(std::string_view text, size_t chunk) {
  Scanner scanner(BuiltinDetectors());
  for (size_t at = 0; at < text.size(); at += chunk) scanner.Feed(text.substr(at, chunk));
  scanner.Finish();
  return scanner.findings().size();
}

size_t RedactAll(std::string_view text, size_t chunk) {
  Redactor redactor(BuiltinDetectors(), RedactionPolicy::All());
  size_t size = 0;
  for (size_t at = 0; at < text.size(); at += chunk) {
    size += redactor.Feed(text.substr(at, chunk)).value().size();
  }
  return size + redactor.Finish().value().size();
}

size_t CountWords(std::string_view text) {
  size_t words = 0;
  bool in_word = false;
  for (const char c : text) {
    const bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    words += letter && !in_word;
    in_word = letter;
  }
  return words;
}

#ifdef PORTCULLIS_HYPERSCAN
size_t Hyperscan(std::string_view text) {
  static const char* const kExpressions[] = {R"([\w.+-]{1,64}@[\w-]+(\.[\w-]+)+)",
                                             R"(\b(?:\d[ -]?){12,19}\b)",
                                             R"(\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b)",
                                             R"(\+\d[\d ()/.-]{6,20}\d)",
                                             R"(\b\d{3}-\d{2}-\d{4}\b)",
                                             R"(\b\d{1,3}(\.\d{1,3}){3}\b)",
                                             R"(-----BEGIN [A-Z ]*PRIVATE KEY)",
                                             R"(\beyJ[\w-]+\.[\w-]+\.[\w-]*)",
                                             R"(\bA(KI|SI)A[A-Z0-9]{16}\b)",
                                             R"(\bgh[pousr]_\w{36}\b)",
                                             R"(\bsk-[\w-]{20,})",
                                             R"(\w+://[^\s/:@]*:[^\s/@]+@[\w.-]+)",
                                             R"(\bNATO (SECRET|RESTRICTED))"};
  constexpr unsigned kCount = std::size(kExpressions);
  static hs_database_t* database = [] {
    unsigned flags[kCount] = {}, ids[kCount];
    for (unsigned i = 0; i < kCount; ++i) ids[i] = i;
    hs_database_t* built = nullptr;
    hs_compile_error_t* error = nullptr;
    if (hs_compile_multi(kExpressions, flags, ids, kCount, HS_MODE_BLOCK, nullptr, &built,
                         &error) != HS_SUCCESS) {
      std::fprintf(stderr, "hyperscan: %s\n", error->message);
      std::exit(1);
    }
    return built;
  }();
  static hs_scratch_t* scratch = [] {
    hs_scratch_t* allocated = nullptr;
    hs_alloc_scratch(database, &allocated);
    return allocated;
  }();
  size_t matches = 0;
  hs_scan(
      database, text.data(), static_cast<unsigned>(text.size()), 0, scratch,
      [](unsigned, unsigned long long, unsigned long long, unsigned, void* context) {
        ++*static_cast<size_t*>(context);
        return 0;
      },
      &matches);
  return matches;
}
#endif

void Report(const char* name, std::string_view sample, size_t size) {
  const std::string text = Fill(sample, size);
  std::string copy(text.size(), '\0');
  const auto row = [&](const char* what, const std::function<size_t()>& run) {
    std::printf("%-10s %-22s %9.0f MB/s\n", name, what, BestMegabytesPerSecond(text.size(), run));
  };
  row("memcpy", [&] {
    std::memcpy(copy.data(), text.data(), text.size());
    return static_cast<size_t>(copy[copy.size() / 2]);
  });
  row("count words", [&] { return CountWords(text); });
  row("scan", [&] { return ScanAll(text, text.size()); });
  row("scan, 64-byte chunks", [&] { return ScanAll(text, 64); });
  row("scan, 4-byte chunks", [&] { return ScanAll(text, 4); });
  row("redact", [&] { return RedactAll(text, 65536); });
#ifdef PORTCULLIS_HYPERSCAN
  row("hyperscan", [&] { return Hyperscan(text); });
#endif
}

}  // namespace

int main(int argc, char** argv) {
  const size_t size = static_cast<size_t>(argc > 1 ? std::atoi(argv[1]) : 16) << 20;
  if (size == 0) {
    std::fprintf(stderr, "usage: classify_bench [MEGABYTES]\n");
    return 1;
  }
  Report("prose", kProse, size);
  Report("log", kLog, size);
  Report("sensitive", kSensitive, size);
  Report("foreign", kForeign, size);
}
