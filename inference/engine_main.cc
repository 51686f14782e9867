// portcullis-engine: loads a model, closes itself in, and answers on a Unix socket until SIGTERM.
// Order matters: no dumps, bind the socket, load, sandbox, threads, ready. Exit codes: 0 stopped as
// asked, 1 usage or local trouble (said on standard error). Logs hold no prompt and no answer.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string_view>

#include "inference/engine.h"
#include "inference/ops/workers.h"
#include "inference/serve/integrity.h"
#include "inference/serve/listen.h"
#include "inference/serve/sandbox.h"
#include "inference/serve/server.h"

namespace portcullis::inference {
namespace {

namespace net = boost::asio;

constexpr auto kDrainTime = std::chrono::seconds(8);

struct Arguments {
  std::string model;
  std::string socket;
  std::string name;
  std::string log_format = "text";
  int threads = 0;
  int64_t kv_bytes = int64_t{1} << 30;
  std::string kv_type;
  std::string precision = "fast";
  size_t max_running = 32;
  size_t max_waiting = 128;
  int64_t max_wait = 0;
  int64_t context = 0;
  int64_t prefill_chunk = 512;
  int64_t step_ms = 150;
  std::string speculate = "auto";
  bool no_prefix_cache = false;
  std::filesystem::path pack_cache;
  bool no_pack_cache = false;
  bool no_sandbox = false;
};

constexpr int kMostDrafts = 16;

// `off`, `auto`, or the number of tokens to draft; nothing where it is neither.
std::optional<int> ReadSpeculate(const std::string& text) {
  if (text == "off") return kSpeculateOff;
  if (text == "auto") return kSpeculateAuto;
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return count >= 1 && count <= kMostDrafts ? std::optional(count) : std::nullopt;
}

std::string CheckSpeculate(const std::string& text) {
  if (ReadSpeculate(text)) return {};
  return "must be off, auto, or a number of draft tokens from 1 to " + std::to_string(kMostDrafts);
}

void Declare(CLI::App& app, Arguments& arguments) {
  app.add_option("--model", arguments.model, "model folder (safetensors) or GGUF file")->required();
  app.add_option("--socket", arguments.socket,
                 "Unix socket to listen on; not needed with LISTEN_FDS");
  app.add_option("--name", arguments.name, "name to serve the model under");
  app.add_option("--threads", arguments.threads, "computing threads; 0: one a core")
      ->check(CLI::Range(0, 1024));
  app.add_option("--kv-bytes", arguments.kv_bytes, "memory for keys and values of all requests")
      ->check(CLI::Range(int64_t{1} << 20, int64_t{1} << 44));
  app.add_option("--kv-type", arguments.kv_type, "how keys and values are kept: f32 or f16 (f16; with --precision exact: f32)")
      ->check(CLI::IsMember({"f32", "f16"}));
  app.add_option("--precision", arguments.precision,
                 "exact: activations in f32 throughout; fast: as few bits as the weights deserve")
      ->check(CLI::IsMember({"exact", "fast"}));
  app.add_option("--max-running", arguments.max_running, "generations computed together")
      ->check(CLI::Range(1, 1024));
  app.add_option("--max-waiting", arguments.max_waiting, "generations that may wait")
      ->check(CLI::Range(4, 100000));
  app.add_option("--max-wait", arguments.max_wait,
                 "seconds a generation may wait for its turn; 0: as long as it takes")
      ->check(CLI::Range(int64_t{0}, int64_t{86400}));
  app.add_option("--prefill-chunk", arguments.prefill_chunk, "most prompt tokens a step")
      ->check(CLI::Range(int64_t{16}, int64_t{8192}));
  app.add_option("--step-ms", arguments.step_ms,
                 "how long a step may take while answers are written: bounds the time between two "
                 "tokens when long prompts come in; up to three times that where each tenant "
                 "waits for more first tokens than it is answered")
      ->check(CLI::Range(int64_t{10}, int64_t{60000}));
  app.add_option("--speculate", arguments.speculate,
                 "draft tokens to verify: off, auto, or how many")
      ->check(CheckSpeculate);
  app.add_flag("--no-prefix-cache", arguments.no_prefix_cache,
               "compute every prompt from its first token");
  app.add_option("--pack-cache", arguments.pack_cache,
                 "folder that keeps packed weights for the next start; without it the one that "
                 "systemd gives, else the model's; what `portcullis model quantize --packed` wrote "
                 "beside the model is used wherever this is");
  app.add_flag("--no-pack-cache", arguments.no_pack_cache, "pack the weights at every start");
  app.add_option("--context", arguments.context, "longest prompt and answer; 0: the model's own")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 30));
  app.add_option("--log-format", arguments.log_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_flag("--no-sandbox", arguments.no_sandbox,
               "run without the system call filter (for debugging only)");
}

// Where it cannot be written to, nothing is kept and nothing is wrong.
std::filesystem::path PackCacheFolder(const Arguments& arguments) {
  if (arguments.no_pack_cache) return {};
  if (!arguments.pack_cache.empty()) return arguments.pack_cache;
  const char* given = std::getenv("CACHE_DIRECTORY");
  if (given != nullptr && *given == '/') return std::string_view(given, std::strcspn(given, ":"));
  std::error_code ignored;
  const auto model = std::filesystem::absolute(arguments.model, ignored);
  return std::filesystem::is_directory(model, ignored) ? model : model.parent_path();
}

std::shared_ptr<spdlog::logger> MakeLog(const std::string& format) {
  auto log = spdlog::stderr_logger_mt("engine");
  if (format == "json") {
    log->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":"%v"})");
  } else {
    log->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
  }
  return log;
}

// Waits for SIGTERM or SIGINT, then lets what runs finish for a while.
net::awaitable<void> StopOnSignal(net::io_context& context, net::signal_set& signals, Server& server,
                                  Engine& engine, std::shared_ptr<spdlog::logger> log) {
  constexpr auto kTuple = net::as_tuple(net::use_awaitable);
  co_await signals.async_wait(kTuple);
  sd_notify(0, "STOPPING=1");
  log->info("stopping: running generations may finish for 8 seconds");
  server.StopAccepting();
  const auto deadline = std::chrono::steady_clock::now() + kDrainTime;
  net::steady_timer tick(context);
  while (!engine.Drain(std::chrono::steady_clock::now()) &&
         std::chrono::steady_clock::now() < deadline) {
    tick.expires_after(std::chrono::milliseconds(50));
    co_await tick.async_wait(kTuple);
  }
  tick.expires_after(std::chrono::milliseconds(200));  // the last bytes reach their clients
  co_await tick.async_wait(kTuple);
  context.stop();
}

Result<int> Run(const Arguments& arguments, const std::shared_ptr<spdlog::logger>& log) {
  ForbidMemoryDumps();
  if (!ListeningSocket::Inherited() && arguments.socket.empty()) {
    return Error{Code::kInvalidArgument, "--socket is needed"};
  }
  const bool inherited = ListeningSocket::Inherited();
  BOOST_OUTCOME_TRY(auto socket, inherited ? ListeningSocket::Inherit()
                                           : ListeningSocket::Bind(arguments.socket));

  LoadOptions load;
  load.threads = arguments.threads;
  load.kv_bytes = arguments.kv_bytes;
  load.kv_type = KvTypeNamed(arguments.kv_type);
  load.precision = arguments.precision == "exact" ? Precision::kExact : Precision::kFast;
  load.pack_cache = PackCacheFolder(arguments);
  load.draft_head = arguments.speculate != "off";
  int told = 0;
  load.progress = [&](double fraction) {
    const int percent = static_cast<int>(fraction * 100);
    if (percent < told + 10) return;
    told = percent;
    log->info("loading {} percent", percent);
    const std::string status = "STATUS=loading " + std::to_string(percent) + " percent";
    sd_notify(0, status.c_str());
  };
  BOOST_OUTCOME_TRY(auto model, Model::Load(arguments.model, load));
  BOOST_OUTCOME_TRY(auto tokenizer, LoadTokenizer(*model));
  ServerOptions serving;
  BOOST_OUTCOME_TRY(serving.defaults, LoadSamplingDefaults(*model));

  EngineOptions options;
  options.name = arguments.name;
  options.context_length = arguments.context;
  options.scheduler.max_running = arguments.max_running;
  options.scheduler.max_waiting = arguments.max_waiting;
  options.scheduler.max_wait = std::chrono::seconds(arguments.max_wait);
  options.scheduler.prefill_chunk = arguments.prefill_chunk;
  options.scheduler.step_time = std::chrono::milliseconds(arguments.step_ms);
  options.scheduler.speculate = ReadSpeculate(arguments.speculate).value_or(kSpeculateAuto);
  options.scheduler.prefix_cache = !arguments.no_prefix_cache;
  options.scheduler.threads = arguments.threads;
  BOOST_OUTCOME_TRY(socket.Listen());
  net::io_context context(1);  // outlives the engine, whose thread posts to it
  net::signal_set signals(context, SIGTERM, SIGINT);

  if (SwapIsOn()) {
    log->warn("this machine swaps: prompts and answers may be written to its disk; run the engine with "
              "MemorySwapMax=0, or encrypt the swap");
  }
  // What loading started has ended; all threads to come are born inside.
  Workers::EndThreads();
  if (arguments.no_sandbox) {
    log->warn("running without a sandbox");
  } else {
    BOOST_OUTCOME_TRY(const auto report,
                      EnterSandbox(arguments.model, inherited ? "" : arguments.socket));
    log->info("sandbox: system calls filtered, file system {}",
              report.landlock ? "closed" : "open for reading (no Landlock in this kernel)");
  }
  Model& loaded = *model;
  BOOST_OUTCOME_TRY(auto engine, Engine::Create(std::move(model), std::move(tokenizer), options));
  const ModelInfo& info = engine->info();
  log->info(
      "model name={} architecture={} weights={} parameters={} context={} template={} sha256={}",
      engine->name(), info.architecture, info.weight_type, info.parameters,
      engine->context_length(), engine->chat_template().family_name(), info.sha256);
  Server server(context, socket.Release(), *engine, serving, log);
  net::co_spawn(context, StopOnSignal(context, signals, server, *engine, log), net::detached);
  const IntegrityGuard guard(loaded, log);
  server.Start();
  sd_notify(0, "READY=1\nSTATUS=ready");
  log->info("ready");
  context.run();
  log->info("stopped");
  return 0;
}

// libgomp reads how long its threads spin between two pieces of work when it is loaded, before main:
// so the process begins again with a word about it. Long enough for the gaps inside a step, not for
// those between requests. Where it cannot begin again it only spins longer.
void SettleSpinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error || setenv("GOMP_SPINCOUNT", "10000", 0) != 0) return;
  execv(program.c_str(), argv);
}

}  // namespace
}  // namespace portcullis::inference

int main(int argc, char** argv) {
  using namespace portcullis::inference;
  SettleSpinning(argv);
  Arguments arguments;
  CLI::App app("The engine behind Portcullis: answers the OpenAI dialect on a Unix socket.");
  Declare(app, arguments);
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const auto log = MakeLog(arguments.log_format);
    const auto result = Run(arguments, log);
    if (result) return result.value();
    std::cerr << "portcullis-engine: " << result.error().message << "\n";
  } catch (const std::exception& failure) {
    std::cerr << "portcullis-engine: " << failure.what() << "\n";
  }
  return 1;
}
