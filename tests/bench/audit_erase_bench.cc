// How long an append waits while a large key store is at work: the erasure of one person, the expiry of all keys of a
// week at once, the rotation (`keys --rotate`). Appends come one after another, as fast as they are acknowledged. Prints JSON.
// usage: audit_erase_bench [--dir D] [--keys N]

#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <string>
#include <thread>

#include "audit/keystore.h"
#include "audit/layout.h"
#include "audit/writer.h"

namespace {

using namespace portcullis::audit;
using Steady = std::chrono::steady_clock;

double Milliseconds(Steady::time_point since) {
  return std::chrono::duration<double, std::milli>(Steady::now() - since).count();
}

[[noreturn]] void End(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

bool Append(Writer& writer, const std::string& subject) {
  Event event;
  event.subject = subject;
  event.parts = {{PartType::kPrompt, std::string(1500, 'p')}};
  std::promise<bool> done;
  writer.Submit({1, {std::move(event)}}, [&done](const Ack& ack) { done.set_value(ack.durable); });
  return done.get_future().get();
}

std::string Act(Writer& writer, const std::string& name, std::map<std::string, std::string> arguments) {
  std::promise<ActReply> done;
  writer.SubmitAct({1, name, std::move(arguments)}, 0, [&done](ActReply reply) { done.set_value(std::move(reply)); });
  const ActReply reply = done.get_future().get();
  if (reply.error_code != 0) End(reply.error);
  return reply.text;
}

// Appends until told to stop; the longest wait since the last look.
class Appends {
 public:
  explicit Appends(Writer& writer) : thread_([this, &writer] {
    while (!ended_) {
      const auto start = Steady::now();
      if (!Append(writer, "somebody else")) End("an append was refused");
      longest_ = std::max(longest_.load(), Milliseconds(start));
    }
  }) {}
  ~Appends() { (void)Finish(); }
  Appends(const Appends&) = delete;
  Appends& operator=(const Appends&) = delete;
  double Look() { return longest_.exchange(0); }
  // With the append that is waiting now.
  double Finish() {
    ended_ = true;
    if (thread_.joinable()) thread_.join();
    return Look();
  }

 private:
  std::atomic<bool> ended_ = false;
  std::atomic<double> longest_ = 0;
  std::thread thread_;
};

// Of people that nothing else is known of.
void Fill(const std::filesystem::path& keys_folder, size_t count, uint16_t retention, uint16_t period) {
  auto store = OpenKeyStore(keys_folder, KeyStore::Mode::kReadWrite);
  if (!store) End(store.error().message);
  for (size_t i = 0; i < count; ++i) {
    SubjectKeyId id{{}, retention, period};
    randombytes_buf(id.subject.data(), id.subject.size());
    if (!store.value()->SubjectKeyOrCreate(id)) End("cannot make a key");
  }
  if (auto done = store.value()->Commit(); !done) End(done.error().message);
}

std::unique_ptr<Writer> Start(const std::filesystem::path& folder, size_t keys, uint16_t retention) {
  std::filesystem::create_directory(folder);
  if (!MakeAuditorKey(folder / "auditor") ||
      !InitLog({folder / "audit", folder / "keys", "bench.example/audit", folder / "auditor.pub"})) {
    End("cannot create the log");
  }
  const uint16_t week = static_cast<uint16_t>(PeriodOf(ReadSystemClock().wall_us) - 20);
  Fill(folder / "keys", keys, retention, week);
  WriterOptions options;
  options.log_folder = folder / "audit";
  options.keys_folder = folder / "keys";
  options.max_wait = std::chrono::seconds(60);
  options.heartbeat_seconds = 0;
  auto writer = Writer::Start(std::move(options));
  if (!writer) End(writer.error().message);
  return std::move(writer.value());
}

void Erasure(const std::filesystem::path& folder, size_t keys) {
  const auto writer = Start(folder, keys, 0);
  Append(*writer, "person");
  Appends appends(*writer);
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const double quiet = appends.Look();
  const auto start = Steady::now();
  Act(*writer, "erase", {{"subject", "person"}, {"reason", "bench"}});
  const double act = Milliseconds(start);
  std::printf("\"erasure\":{\"append_max_ms\":%.1f,\"append_max_ms_before\":%.1f,\"act_ms\":%.0f}", appends.Finish(), quiet, act);
}

void Expiry(const std::filesystem::path& folder, size_t keys) {
  const auto writer = Start(folder, keys, 30);
  const auto start = Steady::now();
  double longest = 0;
  {
    Appends appends(*writer);
    // The key of who appends is left, and that of the log itself.
    for (size_t left = keys; left > 2; std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
      const auto store = OpenKeyStore(folder / "keys", KeyStore::Mode::kReadOnly);
      const auto ids = store ? store.value()->SubjectKeys() : store.error();
      if (ids) left = ids.value().size();
    }
    longest = appends.Finish();
  }
  std::printf("\"expiry\":{\"append_max_ms\":%.1f,\"took_ms\":%.0f}", longest, Milliseconds(start));
}

void Rotation(const std::filesystem::path& folder, size_t keys) {
  const auto writer = Start(folder, keys, 0);
  Appends appends(*writer);
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const double quiet = appends.Look();
  const auto start = Steady::now();
  Act(*writer, "rotate", {});
  const double act = Milliseconds(start);
  std::printf("\"rotation\":{\"append_max_ms\":%.1f,\"append_max_ms_before\":%.1f,\"act_ms\":%.0f}", appends.Finish(), quiet, act);
}

[[noreturn]] void Usage(int status) {
  std::fprintf(status == 0 ? stdout : stderr,
               "usage: audit_erase_bench [--dir D] [--keys N]\n"
               "  --dir D   the disk to measure; default: that of temporary files\n"
               "  --keys N  keys in the key store, default 100000\n");
  std::exit(status);
}

}  // namespace

int main(int argc, char** argv) {
  std::filesystem::path parent = std::filesystem::temp_directory_path();
  size_t keys = 100'000;
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--help") Usage(0);
    if (i + 1 == argc) Usage(2);
    if (option == "--dir") parent = argv[i + 1];
    else if (option == "--keys") keys = static_cast<size_t>(std::atoll(argv[i + 1]));
    else Usage(2);
  }
  std::string name = (parent / "audit-erase-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) End("cannot make a folder");
  portcullis::certs::InitSodium();
  std::printf("{\"schema\":\"portcullis.bench.audit_erase/1\",\"keys\":%zu,", keys);
  Erasure(std::filesystem::path(name) / "erasure", keys);
  std::printf(",");
  Expiry(std::filesystem::path(name) / "expiry", keys);
  std::printf(",");
  Rotation(std::filesystem::path(name) / "rotation", keys);
  std::printf("}\n");
  std::filesystem::remove_all(name);
  return 0;
}
