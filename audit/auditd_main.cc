// portcullis-auditd: the only process that can write the log. Holds the checkpoint key, the writer's
// key and the key store; never an auditor's secret key. One I/O thread (this one) and the writer's.
// SIGTERM and SIGINT end it in order (STOP, checkpoint); a failed fsync ends it at once with exit 2.
// Its log lines hold no content of records.

#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdlib>
#include <future>
#include <iostream>
#include <memory>
#include <thread>

#include "audit/layout.h"
#include "audit/merkle.h"
#include "audit/sandbox.h"
#include "audit/server.h"
#include "audit/tpm_counter.h"
#include "audit/tpm_link.h"
#include "audit/writer.h"
#include "certs/memory_lock.h"
#include "certs/secret.h"

namespace portcullis::audit {
namespace {

namespace asio = boost::asio;

constexpr int kExitTrouble = 1;
constexpr int kExitPoisoned = 2;

#ifdef PORTCULLIS_SANITIZED
constexpr bool kSanitized = true;  // the sanitizers need system calls that the sandbox forbids
#else
constexpr bool kSanitized = false;
#endif

struct Arguments {
  std::string log, keys, socket, origin, auditor_public, officers, witnesses, seen;
  bool init = false;
  bool no_sandbox = false;
  unsigned heartbeat = 60;
  uint64_t min_free = 64u << 20;
  unsigned max_wait_ms = 250;
  std::vector<uid_t> allow_uids, admin_uids;
  unsigned expiry_seconds = 3600;
  std::string tpm;
  uint32_t tpm_index = kDefaultTpmIndex;
  unsigned tpm_minutes = 60;
  unsigned tpm_timeout_ms = 10'000;
  bool tpm_create = false;
};

int Trouble(const Error& error) {
  std::cerr << "portcullis-auditd: " << error.message << "\n";
  return kExitTrouble;
}

// The way to the TPM, opened while files and sockets still can be. It may hang, so nobody joins the thread.
Result<CounterOptions> OpenCounter(const Arguments& arguments) {
  CounterOptions options;
  options.create = arguments.tpm_create;
  options.period = std::chrono::minutes(arguments.tpm_minutes);
  options.patience = std::chrono::milliseconds(arguments.tpm_timeout_ms);
  options.retry = std::min(options.period, options.retry);
  if (arguments.tpm.empty()) return options;
  using Opened = Result<std::unique_ptr<TpmCounter>>;
  BOOST_OUTCOME_TRY(VerifierKey log, ReadLogKey(arguments.log));
  auto promise = std::make_shared<std::promise<Opened>>();
  std::future<Opened> future = promise->get_future();
  std::thread([promise, tpm = TpmOptions{arguments.tpm, arguments.tpm_index, arguments.keys, std::move(log)}] {
    promise->set_value(TpmCounter::Open(tpm));
  }).detach();
  if (future.wait_for(options.patience) != std::future_status::ready) {
    return Error{Code::kCounter, "the TPM at `" + arguments.tpm + "` does not answer"};
  }
  BOOST_OUTCOME_TRY(options.counter, future.get());
  return options;
}

// Everything that happens again and again on the I/O thread.
class Housekeeping {
 public:
  Housekeeping(asio::io_context& io, Writer& writer) : timer_(io), writer_(writer) {
    uint64_t watchdog_us = 0;
    if (::sd_watchdog_enabled(0, &watchdog_us) > 0) {
      watchdog_ = std::chrono::microseconds(watchdog_us / 3);
    }
    Tick();
  }
  void Stop() { timer_.cancel(); }

 private:
  void Tick() {
    writer_.ExpireOverdue();
    const auto now = std::chrono::steady_clock::now();
    if (watchdog_.count() > 0 && now >= next_watchdog_) {
      ::sd_notify(0, "WATCHDOG=1");
      next_watchdog_ = now + watchdog_;
    }
    timer_.expires_after(std::chrono::milliseconds(50));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) Tick();
    });
  }

  asio::steady_timer timer_;
  Writer& writer_;
  std::chrono::microseconds watchdog_{0};
  std::chrono::steady_clock::time_point next_watchdog_{};
};

int Serve(const Arguments& arguments) {
  asio::io_context io(1);
  int exit_code = 0;
  const auto say = [](const std::string& line) { spdlog::info("{}", line); };

  ServerOptions server_options;
  server_options.log = say;
  server_options.socket_path = arguments.socket;
  server_options.allowed_uids.insert(::geteuid());
  server_options.allowed_uids.insert(0);
  server_options.allowed_uids.insert(arguments.allow_uids.begin(), arguments.allow_uids.end());
  server_options.admin_uids.insert(arguments.admin_uids.begin(), arguments.admin_uids.end());
  server_options.allowed_uids.insert(arguments.admin_uids.begin(), arguments.admin_uids.end());
  if (::sd_listen_fds(1) >= 1) {
    server_options.inherited_fd = SD_LISTEN_FDS_START;
    server_options.socket_path.clear();
  } else if (arguments.socket.empty()) {
    return Trouble(Error{Code::kInvalidArgument, "--socket PATH is needed (no socket was inherited)"});
  }

  auto counter = OpenCounter(arguments);
  if (!counter) return Trouble(counter.error());
  if (!arguments.no_sandbox && !kSanitized) {
    std::vector<std::filesystem::path> writable = {arguments.log, arguments.keys};
    if (!server_options.socket_path.empty()) {
      const auto folder = std::filesystem::path(server_options.socket_path).parent_path();
      writable.push_back(folder.empty() ? "." : folder);
    }
    if (!arguments.seen.empty()) writable.push_back(arguments.seen);
    if (const auto device = CheckTpmName(arguments.tpm); device && !device.value().empty()) {
      writable.push_back(device.value());
    }
    if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY")) writable.push_back(credentials);
    (void)EmptyRoot();  // OpenSSL reads its configuration now, while it can
    const auto restricted = RestrictPaths(writable);
    if (!restricted) return Trouble(restricted.error());
    if (restricted.value()) spdlog::info("Landlock: only the log, the keys and the socket's folder");
    else spdlog::warn("Landlock is not in this kernel: paths are not restricted");
  }

  WriterOptions options;
  options.log_folder = arguments.log;
  options.keys_folder = arguments.keys;
  options.origin = arguments.origin;
  options.heartbeat_seconds = static_cast<uint16_t>(arguments.heartbeat);
  options.min_free_bytes = arguments.min_free;
  options.max_wait = std::chrono::milliseconds(arguments.max_wait_ms);
  options.expiry_interval = std::chrono::seconds(arguments.expiry_seconds);
  options.seen_by_witness = arguments.seen;
  options.counter = std::move(counter.value());
  options.log = say;
  options.on_poison = [&](const Error& error) {
    spdlog::critical("{}; this process ends and the log is checked at the next start", error.message);
    asio::post(io, [&] {
      exit_code = kExitPoisoned;
      io.stop();
    });
  };
  auto started = Writer::Start(std::move(options));
  if (!started) return Trouble(started.error());
  Writer& writer = *started.value();

  Server server(io, std::move(server_options), writer);
  if (auto listening = server.Listen(); !listening) {
    (void)writer.Stop();
    return Trouble(listening.error());
  }
  Housekeeping housekeeping(io, writer);
  asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    ::sd_notify(0, "STOPPING=1");
    server.Close();
    housekeeping.Stop();
    const auto stopped = writer.Stop();
    if (!stopped) exit_code = kExitPoisoned;
    // Acknowledgements of the last batch are on their way to the I/O thread.
    asio::post(io, [&] { io.stop(); });
  });
  if (!arguments.no_sandbox && !kSanitized) {
    if (auto restricted = RestrictSystemCalls(NeedsTcp(arguments.tpm)); !restricted) return Trouble(restricted.error());
  } else {
    spdlog::warn("the sandbox is off");
  }
  const Status status = writer.GetStatus();
  spdlog::info("serving log {} with {} records", status.origin, status.log_size);
  spdlog::info("{}", writer.CounterWords());
  ::sd_notify(0, "READY=1");
  io.run();
  spdlog::info("stopped");
  return exit_code;
}

int Main(int argc, char** argv) {
  CLI::App app("The audit log's only writer.", "portcullis-auditd");
  Arguments arguments;
  app.add_option("--log", arguments.log, "folder of the log")->required();
  app.add_option("--keys", arguments.keys, "folder of the keys")->required();
  app.add_option("--socket", arguments.socket, "Unix socket to serve");
  app.add_option("--origin", arguments.origin, "name of the log, such as example.org/audit");
  app.add_option("--heartbeat", arguments.heartbeat, "seconds between HEARTBEAT records, 0 for none")
      ->check(CLI::Range(0, 3600));
  app.add_option("--min-free-bytes", arguments.min_free, "refuse appends below this free space");
  app.add_option("--max-wait-ms", arguments.max_wait_ms, "refuse appends that queued longer")
      ->check(CLI::Range(10, 60000));
  app.add_option("--allow-uid", arguments.allow_uids, "a further user that may connect");
  app.add_option("--admin-uid", arguments.admin_uids, "a user that may release, hold and erase");
  app.add_option("--seen", arguments.seen, "a checkpoint just fetched from a witness: refuse to be older");
  app.add_option("--expiry-seconds", arguments.expiry_seconds, "between looks for keys whose time ran out")
      ->check(CLI::Range(1, 86400));
  auto* tpm = app.add_option("--tpm-counter", arguments.tpm, "a TPM that keeps this log's counter: device:/dev/tpmrm0");
  app.add_option("--tpm-index", arguments.tpm_index, "the counter's NV index, 0x01800000 to 0x01bfffff")
      ->capture_default_str()->needs(tpm);
  app.add_option("--tpm-minutes", arguments.tpm_minutes, "between steps of the counter; refuse appends when one is late as long")
      ->check(CLI::Range(1, 1440))->capture_default_str()->needs(tpm);
  app.add_option("--tpm-timeout-ms", arguments.tpm_timeout_ms, "for an answer of the TPM")
      ->check(CLI::Range(100, 120'000))->capture_default_str()->needs(tpm);
  app.add_flag("--tpm-create", arguments.tpm_create, "give a log that has records already a counter from now on")
      ->needs(tpm);
  app.add_flag("--no-sandbox", arguments.no_sandbox, "run without seccomp and Landlock");
  app.add_flag("--init", arguments.init, "create the log and its keys, then end");
  app.add_option("--auditor-pub", arguments.auditor_public, "with --init: the auditors' public keys");
  app.add_option("--officers", arguments.officers, "with --init: keys of who may override a refused start");
  app.add_option("--witnesses", arguments.witnesses, "with --init: keys of the log's witnesses");
  CLI11_PARSE(app, argc, argv);

  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "auditd", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ auditd %l %v", spdlog::pattern_time_type::utc);
  spdlog::flush_on(spdlog::level::info);
  DisableCoreDumps();
  ::umask(0077);
  ::setenv("TSS2_LOG", "all+none", 0);  // the TPM's library: its errors are told in our words
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  certs::InitSodium();
  if (arguments.init) {
    if (arguments.auditor_public.empty() || arguments.origin.empty()) {
      return Trouble(Error{Code::kInvalidArgument, "--init needs --origin NAME and --auditor-pub FILE"});
    }
    auto done = InitLog({arguments.log, arguments.keys, arguments.origin, arguments.auditor_public,
                         arguments.officers, arguments.witnesses});
    return done ? 0 : Trouble(done.error());
  }
  if (!certs::LockMemory()) spdlog::info("memory is not locked as a whole (RLIMIT_MEMLOCK); keys are");
  return Serve(arguments);
}

}  // namespace
}  // namespace portcullis::audit

int main(int argc, char** argv) {
  try {
    return portcullis::audit::Main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "portcullis-auditd: " << error.what() << "\n";
    return 1;
  }
}
