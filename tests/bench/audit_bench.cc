// Durable records per second with 1 and 64 writers, beside what the same disk gives to a bare append of
// 4 KB and fdatasync, in the same run and interleaved; what a request waits for the log (REQ and DECISION, then
// RESP), alone and among 64; content sealed and synced per second; leaves verified per second, on one core and
// on all, for each of three logs, and how many there would be if nothing but their SHA-256 had to be computed.
// Prints JSON; the ratios are what to compare between machines. usage: audit_bench [--dir D] [--seconds N] [--rounds N]

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "audit/layout.h"
#include "audit/merkle.h"
#include "audit/seal.h"
#include "audit/scan.h"
#include "audit/subject_key.h"
#include "audit/verify.h"
#include "audit/writer.h"

namespace {

using namespace portcullis::audit;
using Steady = std::chrono::steady_clock;

constexpr size_t kRecordBytes = 4096;
constexpr size_t kLargeBytes = 256 * 1024;

struct Rate {
  double per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
};

Rate Summarise(std::vector<double> milliseconds, double seconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  const size_t n = milliseconds.size();
  if (n == 0) return {};
  return Rate{static_cast<double>(n) / seconds, milliseconds[n / 2], milliseconds[n * 99 / 100]};
}

double Since(Steady::time_point start) {
  return std::chrono::duration<double>(Steady::now() - start).count();
}

Rate RawDisk(const std::filesystem::path& folder, double seconds) {
  const std::filesystem::path path = folder / "raw";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_TRUNC | O_CLOEXEC, 0600);
  const std::string block(kRecordBytes, 'r');
  std::vector<double> times;
  const auto begin = Steady::now();
  while (Since(begin) < seconds) {
    const auto start = Steady::now();
    if (::write(fd, block.data(), block.size()) != static_cast<ssize_t>(block.size()) || ::fdatasync(fd) != 0) {
      std::perror("raw disk");
      std::exit(1);
    }
    times.push_back(Since(start) * 1000);
  }
  ::close(fd);
  std::filesystem::remove(path);
  return Summarise(std::move(times), Since(begin));
}

// What one client does once; how long it waited for the log, in milliseconds, or nothing when refused.
using Turn = std::function<std::optional<double>(Writer&, int client)>;

std::optional<std::vector<uint64_t>> Append(Writer& writer, std::vector<Event> events) {
  std::promise<std::optional<std::vector<uint64_t>>> done;
  writer.Submit({1, std::move(events)}, [&done](const Ack& ack) {
    done.set_value(ack.durable ? std::optional(ack.seqs) : std::nullopt);
  });
  return done.get_future().get();
}

Event Make(Kind kind, int client, PartType part, size_t bytes) {
  Event event;
  event.kind = kind;
  event.subject = "subject" + std::to_string(client);
  event.request_id[0] = static_cast<uint8_t>(client);
  event.parts = {{part, std::string(bytes, 'm')}};
  return event;
}

Turn OneRecord(size_t bytes) {
  return [bytes](Writer& writer, int client) -> std::optional<double> {
    std::vector<Event> events = {Make(Kind::kAdmin, client, PartType::kMetadata, bytes)};
    const auto start = Steady::now();
    if (!Append(writer, std::move(events))) return std::nullopt;
    return Since(start) * 1000;
  };
}

// As the gateway does it around the work of the engine.
std::optional<double> OneRequest(Writer& writer, int client) {
  std::vector<Event> opening = {Make(Kind::kReq, client, PartType::kPrompt, 1500),
                                Make(Kind::kDecision, client, PartType::kDecision, 500)};
  opening[1].parent_seq = kParentFirst;
  opening[1].outcome = 1;
  Event end = Make(Kind::kResp, client, PartType::kAnswer, 2000);
  end.outcome = 200;
  const auto start = Steady::now();
  const auto seqs = Append(writer, std::move(opening));
  if (!seqs) return std::nullopt;
  end.parent_seq = seqs->front();
  if (!Append(writer, {std::move(end)})) return std::nullopt;
  return Since(start) * 1000;
}

Rate Log(Writer& writer, int threads, double seconds, const Turn& turn) {
  std::mutex mutex;
  std::vector<double> times;
  std::vector<std::thread> clients;
  std::atomic<uint64_t> failed = 0;
  const auto begin = Steady::now();
  for (int t = 0; t < threads; ++t) {
    clients.emplace_back([&, t] {
      std::vector<double> mine;
      while (Since(begin) < seconds) {
        const auto took = turn(writer, t);
        took ? mine.push_back(*took) : void(++failed);
      }
      const std::lock_guard guard(mutex);
      times.insert(times.end(), mine.begin(), mine.end());
    });
  }
  for (std::thread& client : clients) client.join();
  if (failed > 0) {
    std::fprintf(stderr, "%lu appends were refused\n", static_cast<unsigned long>(failed));
    std::exit(1);
  }
  return Summarise(std::move(times), Since(begin));
}

// Bytes of content sealed by one core, without a disk.
double SealRate(double seconds) {
  Sealer sealer;
  const portcullis::certs::SecretBytes key = portcullis::certs::SecretBytes::Random(kKeySize);
  const std::vector<Part> parts = {{PartType::kMetadata, std::string(kRecordBytes, 'm')}};
  const SubjectKey subject = SubjectKey::Random();
  portcullis::certs::SecretBytes chain(kNodeSize);
  if (!subject.Node(PointOfChain(1), kChainDepth, chain.bytes())) return 0;
  uint64_t bytes = 0;
  const auto begin = Steady::now();
  while (Since(begin) < seconds) {
    Leaf leaf;
    leaf.seq = bytes;
    (void)sealer.Seal(leaf, parts, key, [&](PartType type, std::span<uint8_t> share) {
      std::copy(chain.bytes().begin(), chain.bytes().end(), share.begin());
      Descend(share, kChainDepth, kTreeDepth, PointOf(1, 2, type));
      return true;
    });
    bytes += kRecordBytes;
  }
  return static_cast<double>(bytes) / Since(begin);
}

// A part's share of its key, from the node of its chain; what a record adds to its sealing per part.
double ShareNanoseconds() {
  const SubjectKey subject = SubjectKey::Random();
  portcullis::certs::SecretBytes chain(kNodeSize), share(kNodeSize);
  if (!subject.Node(PointOfChain(1), kChainDepth, chain.bytes())) return 0;
  constexpr uint32_t kTurns = 200'000;
  const auto begin = Steady::now();
  for (uint32_t i = 0; i < kTurns; ++i) {
    std::copy(chain.bytes().begin(), chain.bytes().end(), share.data());
    Descend(share.bytes(), kChainDepth, kTreeDepth, PointOf(1, i % 4096, PartType::kPrompt));
  }
  return Since(begin) * 1e9 / kTurns;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Rate MedianOf(const std::vector<Rate>& rates) {
  std::vector<double> per_second, p50, p99;
  for (const Rate& rate : rates) {
    per_second.push_back(rate.per_second);
    p50.push_back(rate.p50_ms);
    p99.push_back(rate.p99_ms);
  }
  return Rate{Median(per_second), Median(p50), Median(p99)};
}

void Print(const char* name, const char* what, const Rate& rate, const Rate& raw) {
  std::printf("\"%s\":{\"%s_per_s\":%.0f,\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f,\"ratio_to_raw\":%.3f},", name, what,
              rate.per_second, rate.p50_ms, rate.p99_ms, rate.per_second / raw.per_second);
}

// One log, so that a verifier's figure speaks of one kind of record.
struct BenchLog {
  std::filesystem::path folder;
  std::unique_ptr<Writer> writer;

  bool Start(const std::filesystem::path& parent, const char* name) {
    folder = parent / name;
    std::filesystem::create_directory(folder);
    if (!InitLog({folder / "audit", folder / "keys", "bench.example/audit", parent / "auditor.pub"})) return false;
    WriterOptions options;
    options.log_folder = folder / "audit";
    options.keys_folder = folder / "keys";
    options.max_wait = std::chrono::seconds(60);
    auto started = Writer::Start(std::move(options));
    if (!started) std::fprintf(stderr, "%s\n", started.error().message.c_str());
    else writer = std::move(started.value());
    return writer != nullptr;
  }
};

double VerifyRate(const BenchLog& log, unsigned threads, Report& report) {
  VerifyOptions options;
  options.log_folder = log.folder / "audit";
  options.threads = threads;
  const auto begin = Steady::now();
  report = VerifyLog(options);
  return static_cast<double>(report.records) / Since(begin);
}

// SHA-256 of blocks of so many bytes, by one core, in blocks per second.
double HashRate(size_t bytes) {
  const std::string block(bytes, 'h');
  uint64_t blocks = 0;
  const auto begin = Steady::now();
  for (; Since(begin) < 0.2; ++blocks) (void)Sha256(block);
  return static_cast<double>(blocks) / Since(begin);
}

// Prints a line of "verify"; false when the log is not valid.
bool PrintVerified(const char* name, const BenchLog& log, const char* end) {
  Report report;
  std::vector<double> one, all;
  for (int round = 0; round < 3; ++round) {
    one.push_back(VerifyRate(log, 1, report));
    all.push_back(VerifyRate(log, 0, report));
  }
  const uint64_t bytes = LogBytes(log.folder / "audit");
  const auto records = static_cast<double>(std::max<uint64_t>(1, report.records));
  std::printf("\"%s\":{\"verdict\":\"%s\",\"records\":%lu,\"bytes\":%lu,\"leaves_per_s\":{\"one_thread\":%.0f,"
              "\"all_threads\":%.0f,\"hashing_alone\":%.0f}}%s",
              name, std::string(VerdictName(report.verdict)).c_str(), static_cast<unsigned long>(report.records),
              static_cast<unsigned long>(bytes), Median(one), Median(all),
              HashRate(static_cast<size_t>(static_cast<double>(bytes) / records)), end);
  return IsValid(report.verdict);
}

[[noreturn]] void Usage(int status) {
  std::fprintf(status == 0 ? stdout : stderr,
               "usage: audit_bench [--dir D] [--seconds N] [--rounds N]\n"
               "  --dir D      the disk to measure; default: that of temporary files\n"
               "  --seconds N  of each measurement, default 2\n"
               "  --rounds N   of all measurements, whose medians are printed, default 3\n");
  std::exit(status);
}

}  // namespace

int main(int argc, char** argv) {
  std::filesystem::path parent = std::filesystem::temp_directory_path();
  double seconds = 2;
  int rounds = 3;
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--help") Usage(0);
    if (i + 1 == argc) Usage(2);
    if (option == "--dir") parent = argv[i + 1];
    else if (option == "--seconds") seconds = std::atof(argv[i + 1]);
    else if (option == "--rounds") rounds = std::max(1, std::atoi(argv[i + 1]));
    else Usage(2);
  }
  std::string name = (parent / "audit-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    std::perror(name.c_str());
    return 1;
  }
  const std::filesystem::path folder = name;
  BenchLog records, calls, files;
  if (!MakeAuditorKey(folder / "auditor") || !records.Start(folder, "records") || !calls.Start(folder, "requests") ||
      !files.Start(folder, "large")) {
    std::fprintf(stderr, "cannot create the logs\n");
    return 1;
  }
  std::vector<Rate> raws, ones, manys, requests, crowds, large;
  for (int round = 0; round < rounds; ++round) {
    raws.push_back(RawDisk(folder, seconds));
    ones.push_back(Log(*records.writer, 1, seconds, OneRecord(kRecordBytes - 512)));
    manys.push_back(Log(*records.writer, 64, seconds, OneRecord(kRecordBytes - 512)));
    requests.push_back(Log(*calls.writer, 1, seconds, OneRequest));
    crowds.push_back(Log(*calls.writer, 64, seconds, OneRequest));
    large.push_back(Log(*files.writer, 16, seconds / 2, OneRecord(kLargeBytes)));
  }
  for (BenchLog* log : {&records, &calls, &files}) {
    if (!log->writer->Stop()) return 1;
  }
  const Rate raw = MedianOf(raws);
  std::printf("{\"schema\":\"portcullis.bench.audit/2\",\"record_bytes\":%zu,"
              "\"raw\":{\"appends_per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f},",
              kRecordBytes, raw.per_second, raw.p50_ms, raw.p99_ms);
  Print("writers_1", "records", MedianOf(ones), raw);
  Print("writers_64", "records", MedianOf(manys), raw);
  Print("request_alone", "requests", MedianOf(requests), raw);
  Print("requests_of_64", "requests", MedianOf(crowds), raw);
  std::printf("\"share_ns\":%.0f,", ShareNanoseconds());
  std::printf("\"sealed_bytes_per_s\":{\"one_core\":%.0f,\"to_disk\":%.0f},\"verify\":{", SealRate(seconds / 2),
              MedianOf(large).per_second * static_cast<double>(kLargeBytes));
  bool valid = PrintVerified("records_of_4_kb", records, ",");
  valid = PrintVerified("requests", calls, ",") && valid;
  valid = PrintVerified("records_of_256_kb", files, "}}\n") && valid;
  std::filesystem::remove_all(folder);
  return valid ? 0 : 1;
}
