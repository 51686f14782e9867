#include "gateway/gateway.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <deque>
#include <optional>

#include "certs/memory_lock.h"
#include "gateway/admit/budget_keeper.h"
#include "gateway/decide/policy_events.h"
#include "gateway/listen/cores.h"
#include "gateway/listen/server.h"
#include "gateway/sandbox.h"
#include "gateway/state/sqlite_store.h"
#include "gateway/walk.h"

namespace portcullis::gateway {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kSummaryInterval{10};
constexpr std::chrono::seconds kReloadInterval{5};

AdmitterOptions AdmitterOptionsOf(const LimitsConfig& limits) {
  AdmitterOptions options;
  options.key.requests_per_minute = limits.requests_per_minute_key;
  options.key.tokens_per_minute = limits.tokens_per_minute_key;
  options.key.concurrent_streams = limits.streams_per_key;
  if (limits.tokens_per_day_key > 0) options.key.tokens_per_day = limits.tokens_per_day_key;
  if (limits.tokens_per_month_key > 0) options.key.tokens_per_month = limits.tokens_per_month_key;
  options.tenant.requests_per_minute = limits.requests_per_minute_tenant;
  options.requests_per_minute_address = limits.requests_per_minute_address;
  options.unauthenticated_per_minute = limits.unauthenticated_per_minute;
  return options;
}

DeciderOptions DeciderOptionsOf(const Config& config) {
  DeciderOptions options;
  options.zone = config.zone;
  options.jurisdiction = config.jurisdiction;
  options.networks = Networks(config.networks);
  return options;
}

PenaltyOptions PenaltyOptionsOf(const Config& config) {
  PenaltyOptions options;
  options.exempt_loopback = config.exempt_loopback;
  return options;
}

FairQueueOptions QueueOptionsOf(const LimitsConfig& limits) {
  FairQueueOptions options;
  options.capacity = limits.running;
  options.waiting = limits.waiting;
  options.target = std::chrono::milliseconds(limits.queue_target_ms);
  options.hard_limit = std::chrono::milliseconds(limits.queue_limit_ms);
  return options;
}

TlsOptions TlsOptionsOf(const TlsListenerConfig& config) {
  TlsOptions options;
  options.chain_file = config.certificate;
  options.key_file = config.key;
  options.client_ca_file = config.client_ca;
  options.client_crl_file = config.client_crl;
  options.client_issuer_file = config.client_issuer;
  options.client_certificate_required = !config.client_ca.empty();
  options.allow_tls12 = config.allow_tls12;
  return options;
}

// Folders, not files: certificates and revocation lists are replaced by new files while we run.
void AddTlsFolders(const TlsListenerConfig& listener, SandboxPaths& paths) {
  for (const auto* file : {&listener.certificate, &listener.key, &listener.client_ca,
                           &listener.client_crl, &listener.client_issuer}) {
    if (!file->empty()) paths.read.push_back(file->parent_path());
  }
}

SandboxPaths SandboxPathsOf(const Config& config) {
  SandboxPaths paths;
  paths.read = {"/etc", "/usr", "/proc", "/dev/urandom"};
  if (std::filesystem::exists(config.policy)) paths.read.push_back(config.policy);
  AddTlsFolders(config.api, paths);
  if (config.admin) AddTlsFolders(*config.admin, paths);
  paths.write = {config.state.parent_path(), "/dev/null"};
  if (!config.revisions.empty()) paths.write.push_back(config.revisions.parent_path());
  if (!config.admin_socket.empty()) paths.write.push_back(config.admin_socket.parent_path());
  return paths;
}

// What one core has for itself.
struct Core {
  Core(asio::io_context& io, const Config& config)
      : context(io),
        audit(io, config.audit_socket,
              {std::chrono::milliseconds(config.audit_wait_ms),
               std::chrono::milliseconds(std::max(config.audit_disk_wait_ms, config.audit_wait_ms)),
               std::chrono::milliseconds(config.audit_end_wait_ms)}),
        recorder(audit),
        upstream(io) {}

  asio::io_context& context;
  AuditClient audit;
  Recorder recorder;
  UpstreamClient upstream;
  std::unique_ptr<Services> services;
};

}  // namespace

struct Gateway::Parts {
  Parts(const Config& c, LogLevel level, std::unique_ptr<Store> s, KeyHasher h,
        PolicyMaterial material)
      : config(c),
        log(level),
        store(std::move(s)),
        hasher(std::move(h)),
        policy(config, std::move(material), *store, clock),
        decider(policy.snapshot(), clock, DeciderOptionsOf(config)),
        identifier(*store, hasher, clock, {{config.admin_uids.begin(), config.admin_uids.end()}}),
        admitter(clock, AdmitterOptionsOf(config.limits)),
        penalties(clock, PenaltyOptionsOf(config)),
        queue(clock, QueueOptionsOf(config.limits)),
        sites(config.sites),
        cores(config.threads) {}

  Result<void> Listen();
  Result<uint16_t> AddTls(const std::string& name, const TlsListenerConfig& listener);
  Handler MakeHandler();
  void StartTasks();
  asio::awaitable<void> WriteSummaries();
  asio::awaitable<void> NoteConfiguration(std::string what);
  asio::awaitable<void> WatchCertificates();
  void Complain(std::string_view event, const Error& error) {
    log.Event(LogLevel::kError, event, error.message);
  }

  const Config config;
  SystemClock clock;
  RequestLog log;
  GatewayMetrics metrics;
  std::unique_ptr<Store> store;
  KeyHasher hasher;
  PolicyKeeper policy;
  Decider decider;
  Identifier identifier;
  Admitter admitter;
  Penalties penalties;
  FairQueue queue;
  SiteDirectory sites;
  RefusalSummary refusals;
  std::unique_ptr<BudgetKeeper> budgets;
  std::vector<std::shared_ptr<TlsContext>> tls;
  Cores cores;
  std::deque<Core> per_core;
  std::unique_ptr<Server> server;
  uint16_t api_port = 0;
  uint16_t admin_port = 0;
};

Handler Gateway::Parts::MakeHandler() {
  return [this](Exchange& exchange) -> asio::awaitable<void> {
    auto executor = exchange.executor();
    const asio::execution_context& here = asio::query(executor, asio::execution::context);
    for (Core& core : per_core) {
      if (&core.context == &here) return Walk(exchange, *core.services);
    }
    throw std::logic_error("a connection on no core");
  };
}

Result<uint16_t> Gateway::Parts::AddTls(const std::string& name, const TlsListenerConfig& listener) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(listener.address, error);
  if (error) {
    return Error{Code::kConfig, name + ".address: `" + listener.address + "` is not an IP address"};
  }
  BOOST_OUTCOME_TRY(auto context, TlsContext::Open(TlsOptionsOf(listener)));
  tls.push_back(context);
  ListenerConfig where{name, TcpListen{address, listener.port}, context, MakeHandler()};
  return server->Add(std::move(where));
}

Result<void> Gateway::Parts::Listen() {
  Limits limits;
  limits.connections = config.limits.max_connections;
  limits.per_address = config.limits.max_connections_per_address;
  server = std::make_unique<Server>(cores.all(), limits);
  metrics.ExposeConnections(server->counters());
  if (!config.admin_socket.empty()) {
    ListenerConfig socket{"socket", UnixListen{config.admin_socket, 0600}, nullptr, MakeHandler()};
    BOOST_OUTCOME_TRY(server->Add(std::move(socket)));
  }
  if (config.admin) {
    BOOST_OUTCOME_TRY(admin_port, AddTls("admin", *config.admin));
  }
  BOOST_OUTCOME_TRY(api_port, AddTls("api", config.api));
  return boost::outcome_v2::success();
}

asio::awaitable<void> Gateway::Parts::WriteSummaries() {
  Core& core = per_core.front();
  asio::steady_timer timer(core.context);
  std::optional<audit::Event> event;  // kept until the log has taken it
  while (true) {
    timer.expires_after(kSummaryInterval);
    auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
    if (!event) event = refusals.Take();
    if (!event) continue;
    std::vector<audit::Event> events;
    events.push_back(*event);
    auto noted = co_await core.recorder.Note(std::move(events));
    if (noted) event.reset();
    else Complain("audit", noted.error());
  }
}

// CONFIG records say which policy was in force from when on; tried until the log takes it.
asio::awaitable<void> Gateway::Parts::NoteConfiguration(std::string what) {
  Core& core = per_core.front();
  asio::steady_timer timer(core.context);
  const auto snapshot = policy.snapshot().Load();
  boost::json::object facts{{"what", what}, {"policy_revision", snapshot->revision}};
  if (snapshot->number > 0) facts["revision"] = snapshot->number;
  const std::vector<std::string> complaints =
      co_await store->Run([this](Store&) { return policy.Complaints(); });
  for (const std::string& complaint : complaints) {
    Complain("policy", Error{Code::kConfig, complaint});
    if (!facts.contains("complaints")) facts["complaints"] = boost::json::array();
    facts["complaints"].get_array().emplace_back(complaint);
  }
  while (true) {
    audit::Event event;
    event.kind = audit::Kind::kConfig;
    event.subject = "gateway";
    event.policy_hash = snapshot->hash;
    event.parts.push_back({audit::PartType::kMetadata,
                           boost::json::serialize(facts)});
    std::vector<audit::Event> events;
    events.push_back(std::move(event));
    auto noted = co_await core.recorder.Note(std::move(events));
    if (noted) co_return;
    timer.expires_after(std::chrono::seconds(1));
    auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
  }
}

asio::awaitable<void> Gateway::Parts::WatchCertificates() {
  asio::steady_timer timer(per_core.front().context);
  while (true) {
    timer.expires_after(kReloadInterval);
    auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
    // Each listener for itself: a revocation does not wait for another listener's bad file.
    for (const auto& context : tls) {
      auto reloaded = context->ReloadIfChanged();
      if (!reloaded) {
        Complain("tls", reloaded.error());
      } else if (reloaded.value()) {
        server->Recheck();
        log.Event(LogLevel::kInfo, "tls", "certificates reloaded");
      }
    }
  }
}

void Gateway::Parts::StartTasks() {
  asio::io_context& first = per_core.front().context;
  asio::co_spawn(first, sites.Poll(first), asio::detached);
  asio::co_spawn(first, WriteSummaries(), asio::detached);
  asio::co_spawn(first, WatchCertificates(), asio::detached);
  asio::co_spawn(first, NoteConfiguration("start"), asio::detached);
  asio::co_spawn(first, WatchPolicy(first, policy, *store, per_core.front().recorder, log),
                 asio::detached);
}

Gateway::Gateway(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Gateway::~Gateway() = default;

Result<std::unique_ptr<Gateway>> Gateway::Start(const Config& config) {
  BOOST_OUTCOME_TRY(const auto level, RequestLog::ParseLevel(config.log_level));
  auto output = policy::RedactionPolicy::Of(config.redact_output);
  if (!output) return Error{Code::kConfig, "redact_output: " + output.error().message};
  BOOST_OUTCOME_TRY(auto material, PolicyMaterial::Load(config));
  BOOST_OUTCOME_TRY(auto hasher, KeyHasher::FromFile(config.pepper.string()));
  const bool swap = SwapIsOn();
  bool landlock = false;
  if (config.sandbox) {  // before the store, the log and the budgets start their threads
    BOOST_OUTCOME_TRY(landlock, RestrictFiles(SandboxPathsOf(config)));
  }
  BOOST_OUTCOME_TRY(auto store, OpenSqliteStore(config.state.string()));
  auto parts = std::make_unique<Parts>(config, level, std::move(store), std::move(hasher),
                                       std::move(material));
  BOOST_OUTCOME_TRY(parts->policy.Open());
  for (asio::io_context* context : parts->cores.all()) {
    Core& core = parts->per_core.emplace_back(*context, parts->config);
    core.services.reset(new Services{
        *context, core.recorder, core.upstream, parts->config, parts->clock, parts->identifier,
        parts->admitter, parts->penalties, parts->queue, policy::BuiltinDetectors(), parts->decider,
        parts->policy, parts->sites, *parts->store, parts->hasher, parts->refusals, parts->metrics, parts->log});
  }
  Parts* raw = parts.get();
  BOOST_OUTCOME_TRY(parts->budgets,
                    BudgetKeeper::Start(*parts->store, parts->admitter, parts->clock,
                                        [raw](const Error& error) { raw->Complain("budgets", error); }));
  BOOST_OUTCOME_TRY(parts->Listen());
  if (certs::LockMemory()) {
    parts->log.Event(LogLevel::kInfo, "memory", "locked: nothing of it is written to swap");
  } else if (swap) {
    parts->log.Event(LogLevel::kWarning, "memory",
                     "not locked (RLIMIT_MEMLOCK), and this machine swaps: what was asked and answered "
                     "may be written to its disk; set LimitMEMLOCK=infinity, or encrypt the swap");
  }
  if (config.sandbox) {
    BOOST_OUTCOME_TRY(RestrictCalls());
    parts->log.Event(LogLevel::kInfo, "sandbox",
                     landlock ? "seccomp and Landlock are in force"
                              : "seccomp is in force; this kernel has no Landlock");
  }
  parts->StartTasks();
  return std::unique_ptr<Gateway>(new Gateway(std::move(parts)));
}

uint16_t Gateway::api_port() const { return parts_->api_port; }
uint16_t Gateway::admin_port() const { return parts_->admin_port; }

void Gateway::Run() {
  parts_->log.Event(LogLevel::kInfo, "started",
                    "policy revision " + parts_->policy.snapshot().Load()->revision);
  parts_->cores.Run();
  if (auto flushed = parts_->budgets->Flush(); !flushed) parts_->Complain("budgets", flushed.error());
  parts_->log.Event(LogLevel::kInfo, "stopped", "");
}

void Gateway::Stop() {
  parts_->queue.Close();
  parts_->server->Stop(std::chrono::milliseconds(parts_->config.limits.drain_ms),
                       [this] { parts_->cores.Stop(); });
}

Result<void> Gateway::Reload() {
  // All or nothing: what can fail comes first, the policy last.
  std::vector<TlsContext::Loaded> fresh;
  for (const auto& context : parts_->tls) {
    BOOST_OUTCOME_TRY(auto loaded, context->Load());
    fresh.push_back(std::move(loaded));
  }
  BOOST_OUTCOME_TRY(parts_->policy.Reload());
  for (size_t i = 0; i < fresh.size(); ++i) parts_->tls[i]->Use(std::move(fresh[i]));
  parts_->server->Recheck();
  asio::io_context& first = parts_->per_core.front().context;
  asio::co_spawn(first, parts_->NoteConfiguration("reload"), asio::detached);
  return boost::outcome_v2::success();
}

}  // namespace portcullis::gateway
