// portcullis-gateway: configuration, hardening, run. Signals: TERM and INT drain and stop, HUP
// loads certificates and policy again.
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <cstdio>
#include <thread>

#include "certs/secret.h"
#include "gateway/gateway.h"
#include "gateway/route.h"
#include "gateway/sandbox.h"

namespace {

namespace asio = boost::asio;
using portcullis::gateway::Gateway;

// Signals and the watchdog have a thread of their own, so that a busy core cannot delay them.
class Warden {
 public:
  explicit Warden(Gateway& gateway) : gateway_(gateway), signals_(io_), timer_(io_) {
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) signals_.add(number);
    Wait();
    uint64_t interval_us = 0;
    if (sd_watchdog_enabled(0, &interval_us) > 0) Beat(std::chrono::microseconds(interval_us / 2));
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Warden() {
    io_.stop();
    thread_.join();
  }

 private:
  void Wait() {
    signals_.async_wait([this](const boost::system::error_code& error, int number) {
      if (error) return;
      if (number == SIGHUP) {
        sd_notify(0, "RELOADING=1");
        auto reloaded = gateway_.Reload();
        if (!reloaded) {
          std::fprintf(stderr, "portcullis-gateway: not reloaded: %s\n", reloaded.error().message.c_str());
        }
        sd_notify(0, "READY=1");
      } else {
        sd_notify(0, "STOPPING=1");
        gateway_.Stop();
      }
      Wait();
    });
  }

  void Beat(std::chrono::microseconds interval) {
    timer_.expires_after(interval);
    timer_.async_wait([this, interval](const boost::system::error_code& error) {
      if (error) return;
      sd_notify(0, "WATCHDOG=1");
      Beat(interval);
    });
  }

  Gateway& gateway_;
  asio::io_context io_;
  asio::signal_set signals_;
  asio::steady_timer timer_;
  std::thread thread_;
};

// The route table as JSON: what can be asked of this program, where, and by whom.
void PrintRoutes() {
  using namespace portcullis::gateway;
  boost::json::array rows;
  for (const Route& route : Routes()) {
    boost::json::array listeners;
    if (route.listeners & kApi) listeners.emplace_back("api");
    if (route.listeners & kAdminTls) listeners.emplace_back("admin");
    if (route.listeners & kAdminSocket) listeners.emplace_back("socket");
    rows.push_back({{"method", route.method},
                    {"path", route.path},
                    {"listeners", std::move(listeners)},
                    {"access", route.access == Access::kOpen   ? "open"
                               : route.access == Access::kUser ? "user"
                                                               : "admin"},
                    {"operation", Name(route.operation)},
                    {"body_limit", route.body_limit}});
  }
  std::printf("%s\n", boost::json::serialize(rows).c_str());
}

int Fail(const portcullis::gateway::Error& error) {
  std::fprintf(stderr, "portcullis-gateway: %s\n", error.message.c_str());
  return portcullis::gateway::Info(error.code).exit_code;
}

int Serve(const std::string& config_file) {
  auto hardened = portcullis::gateway::HardenProcess();
  if (!hardened) return Fail(hardened.error());
  auto config = portcullis::gateway::LoadConfig(config_file);
  if (!config) return Fail(config.error());
  auto gateway = Gateway::Start(config.value());
  if (!gateway) return Fail(gateway.error());
  Warden warden(*gateway.value());
  const boost::json::object ready{{"api", gateway.value()->api_port()},
                                  {"admin", gateway.value()->admin_port()}};
  std::printf("%s\n", boost::json::serialize(ready).c_str());
  std::fflush(stdout);
  sd_notify(0, "READY=1");
  gateway.value()->Run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The gate: TLS, identity, limits, policy and audit in front of the inference engine.",
               "portcullis-gateway");
  std::string config_file;
  bool routes = false;
  app.add_option("--config", config_file, "TOML file, see gateway/README.md");
  app.add_flag("--routes", routes, "print the route table as JSON and end");
  app.set_version_flag("--version", PORTCULLIS_VERSION);
  CLI11_PARSE(app, argc, argv);
  if (routes) {
    PrintRoutes();
    return 0;
  }
  if (config_file.empty()) {
    std::fprintf(stderr, "portcullis-gateway: --config FILE is missing\n");
    return 1;
  }
  std::signal(SIGPIPE, SIG_IGN);
  try {
    portcullis::certs::InitSodium();
    return Serve(config_file);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "portcullis-gateway: cannot start: %s\n", e.what());
    return 1;
  }
}
