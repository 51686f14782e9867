#include "gateway/config.h"

#include <algorithm>
#include <array>
#include <set>
#include <toml++/toml.h>

#include "gateway/decide/networks.h"

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

// Either none of the facts, or all that policies always ask for.
std::optional<SiteFacts> ReadSiteFacts(Table& table, const std::string& file, std::string& error) {
  SiteFacts facts;
  const std::array<std::pair<const char*, std::string*>, 5> places = {{
      {"processing", &facts.processing},
      {"storage", &facts.storage},
      {"operator", &facts.operator_law},
      {"key_holder", &facts.key_holder},
      {"model_origin", &facts.model_origin},
  }};
  size_t said = 0;
  for (const auto& [key, place] : places) {
    table.Read(key, *place);
    said += place->empty() ? 0 : 1;
  }
  table.Read("on_prem", facts.on_prem);
  table.Read("dpa_signed", facts.dpa_signed);
  table.Read("zero_retention", facts.zero_retention);
  table.ReadInteger("retention_days", facts.retention_days, 0, 36500);
  table.Read("transfer_tool", facts.transfer_tool);
  table.Read("tia_valid_until", facts.tia_valid_until);
  table.Read("pools", facts.pools);
  if (said == 0 && !facts.on_prem && !facts.dpa_signed && !facts.zero_retention &&
      facts.transfer_tool.empty() && facts.tia_valid_until.empty() && facts.pools.empty()) {
    return std::nullopt;
  }
  for (const auto& [key, place] : places) {
    Require(error, file, (std::string("site.") + key).c_str(), !place->empty());
  }
  return facts;
}

// [[name]]: calls `read` for each table of the list.
template <class Read>
void ReadTables(Table& top, const char* name, const std::string& file, std::string& error,
                Read read) {
  const auto* node = top.Find(name);
  if (!node) return;
  const auto* array = node->as_array();
  if (!array) top.Complain(name, *node, std::string("a list of tables, [[") + name + "]]");
  for (size_t i = 0; array && i < array->size(); ++i) {
    if (!(*array)[i].is_table()) top.Complain(name, *node, std::string("a list of tables, [[") + name + "]]");
    Table table((*array)[i].as_table(), std::string(name) + ".", file, error);
    read(table);
    table.RefuseUnknown();
  }
}

void ReadPolicy(Table& top, Config& config, const std::filesystem::path& base,
                const std::string& file, std::string& error) {
  top.Read("policy", config.policy, base);
  top.Read("revisions", config.revisions, base);
  top.Read("policy_key", config.policy_key, base);
  ReadTables(top, "officer", file, error, [&](Table& table) {
    OfficerConfig& officer = config.officers.emplace_back();
    table.Read("id", officer.id);
    table.Read("key", officer.key, base);
    table.Read("may", officer.may);
    Require(error, file, "officer.id", !officer.id.empty());
    Require(error, file, "officer.may", !officer.may.empty());
  });
  ReadTables(top, "place", file, error, [&](Table& table) {
    JurisdictionConfig& place = config.jurisdictions.emplace_back();
    table.Read("id", place.id);
    table.Read("in", place.in);
    Require(error, file, "place.id", !place.id.empty());
  });
  ReadTables(top, "network", file, error, [&](Table& table) {
    NetworkConfig& network = config.networks.emplace_back();
    table.Read("range", network.range);
    table.Read("zone", network.zone);
    table.Read("jurisdiction", network.jurisdiction);
    table.Read("managed", network.managed);
    table.Read("government", network.government);
    const auto checked = CheckRange(network.range);
    if (!checked && error.empty()) error = file + ": network.range: " + checked.error().message;
  });
  if (top.Find("probation")) {
    Table table(top.FindTable("probation"), "probation.", file, error);
    table.ReadInteger("minutes", config.probation.minutes, 1, 43200);
    table.ReadInteger("min_calls", config.probation.min_calls, 1, 1'000'000);
    table.ReadInteger("min_callers", config.probation.min_callers, 2, 1000);
    table.ReadInteger("error_percent", config.probation.error_percent, 0, 100);
    table.ReadInteger("refusal_rise_percent", config.probation.refusal_rise_percent, 0, 100);
    table.RefuseUnknown();
  }
  if (!config.revisions.empty()) {
    Require(error, file, "policy_key (the revision store is sealed by it)", !config.policy_key.empty());
  } else if (error.empty() && !config.officers.empty()) {
    error = file + ": [[officer]] has no effect without `revisions`";
  }
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
  top.ReadInteger("audit_disk_wait_ms", config.audit_disk_wait_ms, 10, 60000);
  top.ReadInteger("audit_end_wait_ms", config.audit_end_wait_ms, 10, 60000);
  top.Read("state", config.state, base);
  top.Read("pepper", config.pepper, base);
  ReadPolicy(top, config, base, name, error);
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
      out.facts = ReadSiteFacts(site, name, error);
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
