#include "gateway/config.h"

#include <algorithm>
#include <set>
#include <toml++/toml.h>

namespace portcullis::gateway {
namespace {

// Reads one table and remembers which keys were asked for, so that a key nobody reads is an error.
class Table {
 public:
  Table(const toml::table* table, std::string name, std::string file, std::string& error)
      : table_(table), name_(std::move(name)), file_(std::move(file)), error_(error) {}

  const toml::node* Find(const char* key) {
    known_.insert(key);
    return table_ ? table_->get(key) : nullptr;
  }
  // Null when it is missing; something else under that name is complained of.
  const toml::table* FindTable(const char* key) {
    const auto* node = Find(key);
    if (node && !node->is_table()) Complain(key, *node, "a table");
    return node ? node->as_table() : nullptr;
  }

  void Read(const char* key, std::string& out) {
    if (const auto* node = Find(key)) {
      if (const auto value = node->value_exact<std::string>()) out = *value;
      else Complain(key, *node, "a string");
    }
  }
  void Read(const char* key, bool& out) {
    if (const auto* node = Find(key)) {
      if (const auto value = node->value_exact<bool>()) out = *value;
      else Complain(key, *node, "true or false");
    }
  }
  template <class Integer>
  void ReadInteger(const char* key, Integer& out, int64_t low, int64_t high) {
    if (const auto* node = Find(key)) {
      const auto value = node->value_exact<int64_t>();
      if (value && *value >= low && *value <= high) out = static_cast<Integer>(*value);
      else Complain(key, *node, "a number from " + std::to_string(low) + " to " + std::to_string(high));
    }
  }
  void Read(const char* key, std::filesystem::path& out, const std::filesystem::path& base) {
    std::string text;
    Read(key, text);
    if (!text.empty()) out = base / text;
  }
  void Read(const char* key, std::vector<std::string>& out) {
    const auto* node = Find(key);
    if (!node) return;
    out.clear();
    const auto* array = node->as_array();
    if (!array) return Complain(key, *node, "a list of strings");
    for (const auto& item : *array) {
      if (const auto value = item.value_exact<std::string>()) out.push_back(*value);
      else return Complain(key, *node, "a list of strings");
    }
  }

  void Complain(const std::string& key, const toml::node& node, const std::string& expected) {
    if (!error_.empty()) return;
    error_ = file_ + ":" + std::to_string(node.source().begin.line) + ": `" + name_ + key +
             "` must be " + expected;
  }

  void RefuseUnknown() {
    if (!table_ || !error_.empty()) return;
    for (const auto& [key, node] : *table_) {
      if (known_.count(std::string(key.str())) == 0) {
        error_ = file_ + ":" + std::to_string(node.source().begin.line) + ": unknown key `" + name_ +
                 std::string(key.str()) + "`; remove it or correct its spelling";
        return;
      }
    }
  }

 private:
  const toml::table* table_;
  std::string name_;
  std::string file_;
  std::string& error_;
  std::set<std::string> known_;
};

void ReadListener(Table& table, TlsListenerConfig& out, const std::filesystem::path& base) {
  table.Read("address", out.address);
  table.ReadInteger("port", out.port, 0, 65535);
  table.Read("certificate", out.certificate, base);
  table.Read("key", out.key, base);
  table.Read("client_ca", out.client_ca, base);
  table.Read("client_crl", out.client_crl, base);
  table.Read("client_issuer", out.client_issuer, base);
  table.Read("allow_tls12", out.allow_tls12);
  table.RefuseUnknown();
}

void ReadLimits(Table& table, LimitsConfig& out) {
  constexpr int64_t kMillion = 1'000'000;
  constexpr int64_t kMany = 1'000'000'000'000;
  table.ReadInteger("requests_per_minute_key", out.requests_per_minute_key, 1, kMillion);
  table.ReadInteger("requests_per_minute_tenant", out.requests_per_minute_tenant, 1, kMillion);
  table.ReadInteger("requests_per_minute_address", out.requests_per_minute_address, 1, kMillion);
  table.ReadInteger("unauthenticated_per_minute", out.unauthenticated_per_minute, 1, kMillion);
  table.ReadInteger("tokens_per_minute_key", out.tokens_per_minute_key, 1, kMany);
  table.ReadInteger("streams_per_key", out.streams_per_key, 1, 10000);
  table.ReadInteger("tokens_per_day_key", out.tokens_per_day_key, 0, kMany);
  table.ReadInteger("tokens_per_month_key", out.tokens_per_month_key, 0, kMany);
  table.ReadInteger("running", out.running, 1, 10000);
  table.ReadInteger("waiting", out.waiting, 0, 100000);
  table.ReadInteger("queue_target_ms", out.queue_target_ms, 1, 600000);
  table.ReadInteger("queue_limit_ms", out.queue_limit_ms, 1, 600000);
  table.ReadInteger("max_connections", out.max_connections, 1, 60000);
  table.ReadInteger("max_connections_per_address", out.max_connections_per_address, 1, 60000);
  table.ReadInteger("max_tokens_default", out.max_tokens_default, 1, kMillion);
  table.ReadInteger("max_tokens_limit", out.max_tokens_limit, 1, kMillion);
  table.ReadInteger("drain_ms", out.drain_ms, 0, 600000);
  table.RefuseUnknown();
}

void Require(std::string& error, const std::string& file, const char* key, bool present) {
  if (error.empty() && !present) error = file + ": `" + key + "` is missing";
}

}  // namespace

Result<Config> LoadConfig(const std::filesystem::path& file) {
  toml::table root;
  try {
    root = toml::parse_file(file.string());
  } catch (const toml::parse_error& e) {
    const auto line = std::to_string(e.source().begin.line);
    return Error{Code::kConfig, file.string() + ":" + line + ": " + std::string(e.description())};
  }
  const std::filesystem::path base = std::filesystem::absolute(file).parent_path();
  const std::string name = file.string();
  Config config;
  std::string error;
  Table top(&root, "", name, error);

  Table api(top.FindTable("api"), "api.", name, error);
  ReadListener(api, config.api, base);
  if (top.Find("admin")) {
    Table admin(top.FindTable("admin"), "admin.", name, error);
    config.admin.emplace();
    ReadListener(admin, *config.admin, base);
  }
  Table limits(top.FindTable("limits"), "limits.", name, error);
  ReadLimits(limits, config.limits);

  top.Read("admin_socket", config.admin_socket, base);
  if (const auto* node = top.Find("admin_uids")) {
    const auto* array = node->as_array();
    if (!array) top.Complain("admin_uids", *node, "a list of numbers");
    for (size_t i = 0; array && i < array->size(); ++i) {
      const auto value = (*array)[i].value_exact<int64_t>();
      if (value && *value >= 0 && *value < UINT32_MAX) {
        config.admin_uids.push_back(static_cast<uint32_t>(*value));
      } else {
        top.Complain("admin_uids", *node, "a list of numbers");
      }
    }
  }
  top.Read("audit_socket", config.audit_socket, base);
  top.ReadInteger("audit_wait_ms", config.audit_wait_ms, 10, 60000);
  top.Read("state", config.state, base);
  top.Read("pepper", config.pepper, base);
  top.Read("policy", config.policy, base);
  top.Read("zone", config.zone);
  top.Read("jurisdiction", config.jurisdiction);
  top.Read("redact_output", config.redact_output);
  top.ReadInteger("threads", config.threads, 0, 256);
  top.Read("sandbox", config.sandbox);
  top.Read("exempt_loopback", config.exempt_loopback);
  top.Read("log_level", config.log_level);
  if (const auto* sites = top.Find("site")) {
    const auto* array = sites->as_array();
    if (!array) top.Complain("site", *sites, "a list of tables, [[site]]");
    for (size_t i = 0; array && i < array->size(); ++i) {
      Table site((*array)[i].as_table(), "site.", name, error);
      SiteConfig out;
      site.Read("id", out.id);
      site.Read("socket", out.socket, base);
      site.RefuseUnknown();
      Require(error, name, "site.id", !out.id.empty());
      Require(error, name, "site.socket", !out.socket.empty());
      config.sites.push_back(std::move(out));
    }
  }
  top.RefuseUnknown();

  Require(error, name, "api.certificate", !config.api.certificate.empty());
  Require(error, name, "api.key", !config.api.key.empty());
  if (config.admin) {
    Require(error, name, "admin.certificate", !config.admin->certificate.empty());
    Require(error, name, "admin.key", !config.admin->key.empty());
    Require(error, name, "admin.client_ca (the admin listener demands client certificates)",
            !config.admin->client_ca.empty());
  }
  Require(error, name, "audit_socket", !config.audit_socket.empty());
  Require(error, name, "state", !config.state.empty());
  Require(error, name, "pepper", !config.pepper.empty());
  Require(error, name, "policy", !config.policy.empty());
  Require(error, name, "[[site]]", !config.sites.empty());
  if (error.empty() && config.limits.max_tokens_default > config.limits.max_tokens_limit) {
    error = name + ": `limits.max_tokens_default` is above `limits.max_tokens_limit`";
  }
  if (!error.empty()) return Error{Code::kConfig, error};
  return config;
}

}  // namespace portcullis::gateway
