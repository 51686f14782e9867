// A week of simulated traffic, written fast: the real writer on a real disk, its clock moved through seven
// days while requests come. Each is REQ and DECISION in one append, then RESP or ABORT; some are refused, some
// are an administrator's. Who asks, how much and how it ends is drawn from a seed. The writer sends no
// heartbeats, as its hours pass in milliseconds. Prints JSON; audit_week.mjs runs it and what follows.
// usage: audit_week --out FOLDER [--records N] [--days N] [--subjects N] [--seed N]

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "audit/layout.h"
#include "audit/writer.h"

namespace {

using namespace portcullis::audit;

constexpr ptrdiff_t kInFlight = 192;  // requests, as many callers at once
constexpr uint64_t kDay = 86'400'000'000;

struct Options {
  std::filesystem::path out;
  uint64_t records = 1'000'000, days = 7, subjects = 500, seed = 1;
};

// Moves evenly through the days as requests are made; any thread.
class SimulatedClock {
 public:
  SimulatedClock(uint64_t begin_us, uint64_t length_us, uint64_t requests)
      : begin_us_(begin_us), step_us_(std::max<uint64_t>(1, length_us / std::max<uint64_t>(1, requests))) {}
  void Advance() { ++made_; }
  ClockReading Read() const {
    const uint64_t passed = made_.load() * step_us_;
    return {begin_us_ + passed, kDay + passed, ClockState::kSynchronised};
  }

 private:
  const uint64_t begin_us_, step_us_;
  std::atomic<uint64_t> made_ = 0;
};

std::string Words(std::mt19937_64& random, size_t bytes) {
  static constexpr std::array<const char*, 16> kWords = {"please ", "translate ", "the ", "contract ", "of ", "our ",
    "supplier ", "and ", "list ", "every ", "deadline ", "in ", "it ", "with ", "its ", "penalty "};
  std::string text;
  while (text.size() < bytes) text += kWords[random() % kWords.size()];
  return text;
}

class Week {
 public:
  Week(Writer& writer, SimulatedClock& clock, const Options& options)
      : writer_(writer), clock_(clock), options_(options), random_(options.seed), places_(kInFlight) {}

  // Until so many records are acknowledged.
  bool Run() {
    while (records_.load() < options_.records && failed_.load() == 0) {
      places_.acquire();
      clock_.Advance();
      ++requests_;
      const double fate = std::uniform_real_distribution(0.0, 1.0)(random_);
      fate < 0.01 ? Administer() : fate < 0.05 ? Refuse() : Ask(fate < 0.08);
    }
    for (ptrdiff_t i = 0; i < kInFlight; ++i) places_.acquire();
    return failed_.load() == 0;
  }
  uint64_t records() const { return records_.load(); }
  uint64_t requests() const { return requests_; }
  uint64_t content_bytes() const { return content_bytes_.load(); }

 private:
  Event Begin(Kind kind, const std::string& subject) {
    Event event;
    event.kind = kind;
    std::memcpy(event.request_id.data(), &requests_, sizeof requests_);
    event.subject = subject;
    event.tenant = "tenant" + std::to_string(std::hash<std::string>()(subject) % 7);
    return event;
  }
  // A few ask much, most little.
  std::string Somebody() {
    const double u = std::uniform_real_distribution(0.0, 1.0)(random_);
    return "user" + std::to_string(static_cast<uint64_t>(u * u * static_cast<double>(options_.subjects)));
  }
  std::string Text(double median) {
    return Words(random_, static_cast<size_t>(std::lognormal_distribution(std::log(median), 0.8)(random_)) % 20000);
  }
  std::vector<Event> Opening(const std::string& subject, uint16_t outcome) {
    Event request = Begin(Kind::kReq, subject);
    request.tags = {"user:" + subject, "operation:chat", "model:portcullis-nano"};
    request.parts = {{PartType::kMetadata, R"({"operation":"chat","model":"portcullis-nano","stream":true})"},
                     {PartType::kPrompt, Text(400)}};
    Event decision = Begin(Kind::kDecision, subject);
    decision.parent_seq = kParentFirst;
    decision.outcome = outcome;
    decision.tags = {outcome == 2 ? "policy:no-secrets" : "policy:on-premises"};
    decision.parts = {{PartType::kDecision, R"({"treatment":"forward","site":"builtin","policies":["on-premises"]})"}};
    return {std::move(request), std::move(decision)};
  }

  void Send(std::vector<Event> events, Writer::Done done) {
    for (const Event& event : events) {
      for (const Part& part : event.parts) content_bytes_ += part.bytes.size();
    }
    writer_.Submit({1, std::move(events)}, [this, done = std::move(done)](const Ack& ack) {
      if (ack.durable) {
        records_ += ack.seqs.size();
        return done(ack);
      }
      if (failed_++ == 0) std::fprintf(stderr, "refused: %s\n", ack.error.c_str());
      places_.release();
    });
  }
  void Last(std::vector<Event> events) {
    Send(std::move(events), [this](const Ack&) { places_.release(); });
  }

  void Administer() {
    Event event = Begin(Kind::kAdmin, "root");
    event.outcome = 1;
    event.parts = {{PartType::kMetadata, R"({"operation":"status"})"}};
    Last({std::move(event)});
  }
  void Refuse() {
    const std::string subject = Somebody();
    std::vector<Event> events = Opening(subject, 2);
    Event abort = Begin(Kind::kAbort, subject);
    abort.parent_seq = kParentFirst;
    abort.outcome = 403;
    events.push_back(std::move(abort));
    Last(std::move(events));
  }
  void Ask(bool leaves) {
    const std::string subject = Somebody();
    Event end = Begin(leaves ? Kind::kAbort : Kind::kResp, subject);
    end.outcome = leaves ? 499 : 200;
    end.parts = {{PartType::kMetadata, R"({"finish_reason":"stop","completion_tokens":180})"},
                 {PartType::kAnswer, Text(700)}};
    Send(Opening(subject, 1), [this, end = std::move(end)](const Ack& ack) mutable {
      end.parent_seq = ack.seqs.front();
      Last({std::move(end)});
    });
  }

  Writer& writer_;
  SimulatedClock& clock_;
  const Options& options_;
  std::mt19937_64 random_;
  std::counting_semaphore<kInFlight> places_;
  std::atomic<uint64_t> records_ = 0, failed_ = 0, content_bytes_ = 0;
  uint64_t requests_ = 0;
};

bool Parse(int argc, char** argv, Options& options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const uint64_t number = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--out") options.out = argv[i + 1];
    else if (name == "--records") options.records = number;
    else if (name == "--days") options.days = number;
    else if (name == "--subjects") options.subjects = number;
    else if (name == "--seed") options.seed = number;
    else return false;
  }
  return argc % 2 == 1 && !options.out.empty() && options.records > 0 && options.days > 0 && options.subjects > 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!Parse(argc, argv, options)) {
    std::fprintf(stderr, "usage: audit_week --out FOLDER [--records N] [--days N] [--subjects N] [--seed N]\n");
    return 1;
  }
  std::filesystem::create_directories(options.out);
  if (!MakeAuditorKey(options.out / "auditor") ||
      !InitLog({options.out / "audit", options.out / "keys", "week.example/audit", options.out / "auditor.pub"})) {
    std::fprintf(stderr, "cannot create a log in %s\n", options.out.c_str());
    return 1;
  }
  // The week ends a minute before now, so that auditd can go on with the log.
  const uint64_t length = options.days * kDay;
  SimulatedClock clock(ReadSystemClock().wall_us - length - 60'000'000, length, options.records * 10 / 29);
  WriterOptions writer_options;
  writer_options.log_folder = options.out / "audit";
  writer_options.keys_folder = options.out / "keys";
  writer_options.heartbeat_seconds = 0;
  writer_options.max_wait = std::chrono::seconds(60);
  writer_options.clock = [&clock] { return clock.Read(); };
  auto writer = Writer::Start(std::move(writer_options));
  if (!writer) {
    std::fprintf(stderr, "%s\n", writer.error().message.c_str());
    return 1;
  }
  Week week(*writer.value(), clock, options);
  const auto begin = std::chrono::steady_clock::now();
  const bool done = week.Run();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (!writer.value()->Stop() || !done) return 1;
  std::printf("{\"acknowledged\":%lu,\"requests\":%lu,\"content_bytes\":%lu,\"seconds\":%.1f,\"records_per_s\":%.0f}\n",
              static_cast<unsigned long>(week.records()), static_cast<unsigned long>(week.requests()),
              static_cast<unsigned long>(week.content_bytes()), seconds, static_cast<double>(week.records()) / seconds);
  return 0;
}
