// portcullis key issue | list | revoke, principal put: who may call a running gateway. A key is shown once, at its
// issue, on standard output; words go to standard error.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <ctime>
#include <memory>
#include <vector>

#include "gateway/cli/remote.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;

struct IssueOptions {
  std::string socket, principal, tenant = "default", kind = "user", label, home;
  std::vector<std::string> departments, roles;
  int64_t clearance = 0, days = 0;
  int64_t requests = 0, tokens = 0, streams = 0, tokens_day = 0, tokens_month = 0;
};

json::object IssueBody(const IssueOptions& options) {
  json::object limits;
  const auto add = [&](const char* name, int64_t value) {
    if (value > 0) limits[name] = value;
  };
  add("requests_per_minute", options.requests);
  add("tokens_per_minute", options.tokens);
  add("concurrent_streams", options.streams);
  add("tokens_per_day", options.tokens_day);
  add("tokens_per_month", options.tokens_month);
  json::object body{{"principal", options.principal}, {"tenant", options.tenant},
                    {"kind", options.kind},           {"label", options.label},
                    {"home", options.home},           {"clearance", options.clearance},
                    {"valid_days", options.days},     {"limits", std::move(limits)}};
  body["departments"] = json::array(options.departments.begin(), options.departments.end());
  if (!options.roles.empty()) {
    body["roles"] = json::array(options.roles.begin(), options.roles.end());
  }
  return body;
}

void Issue(Context& context, const IssueOptions& options) {
  const json::object body = IssueBody(options);
  if (context.dry_run) {
    std::fprintf(stderr, "would issue a key: %s\n", json::serialize(body).c_str());
    return;
  }
  const RemoteAnswer answer = CallGateway(context, options.socket, "POST", "/admin/v1/keys", body);
  if (!answer.ok) return;
  if (context.json) {
    std::printf("%s\n", json::serialize(answer.document).c_str());
    return;
  }
  const auto& key = answer.document.as_object();
  std::printf("%s\n", key.at("key").as_string().c_str());
  std::fprintf(stderr, "key %s for %s; it is shown once, keep it now\n",
               key.at("id").as_string().c_str(), options.principal.c_str());
}

struct PrincipalOptions {
  std::string socket, id, tenant = "default", kind = "user", home, certificate;
  std::vector<std::string> departments, roles;
  int64_t clearance = 0;
};

void PutPrincipal(Context& context, const PrincipalOptions& options) {
  json::object body{{"tenant", options.tenant},
                    {"kind", options.kind},
                    {"home", options.home},
                    {"clearance", options.clearance},
                    {"certificate", options.certificate}};
  body["departments"] = json::array(options.departments.begin(), options.departments.end());
  body["roles"] = json::array(options.roles.begin(), options.roles.end());
  if (context.dry_run) {
    std::fprintf(stderr, "would put %s: %s\n", options.id.c_str(), json::serialize(body).c_str());
    return;
  }
  const RemoteAnswer answer =
      CallGateway(context, options.socket, "PUT", "/admin/v1/principals/" + options.id, body);
  if (answer.ok && context.json) std::printf("%s\n", json::serialize(answer.document).c_str());
}

std::string Day(const json::value& seconds) {
  const std::time_t time = seconds.is_int64() ? static_cast<std::time_t>(seconds.get_int64()) : 0;
  if (time == 0) return "-";
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
  return text;
}

void List(Context& context, const std::string& socket) {
  const RemoteAnswer answer = CallGateway(context, socket, "GET", "/admin/v1/keys", json::value());
  if (!answer.ok) return;
  if (context.json) {
    std::printf("%s\n", json::serialize(answer.document).c_str());
    return;
  }
  std::printf("%-22s %-20s %-11s %-11s %-11s %-8s %s\n", "ID", "PRINCIPAL", "CREATED", "EXPIRES",
              "LAST USED", "STATE", "LABEL");
  for (const auto& item : answer.document.as_object().at("keys").as_array()) {
    const auto& key = item.as_object();
    std::printf("%-22s %-20s %-11s %-11s %-11s %-8s %s\n", key.at("id").as_string().c_str(),
                key.at("principal").as_string().c_str(), Day(key.at("created")).c_str(),
                Day(key.at("expires")).c_str(), Day(key.at("last_used")).c_str(),
                key.at("revoked") == 0 ? "live" : "revoked", key.at("label").as_string().c_str());
  }
}

void Revoke(Context& context, const std::string& socket, const std::string& id) {
  if (context.dry_run) {
    std::fprintf(stderr, "would revoke %s\n", id.c_str());
    return;
  }
  const RemoteAnswer answer =
      CallGateway(context, socket, "POST", "/admin/v1/keys/" + id + "/revoke", json::value());
  if (!answer.ok) return;
  if (context.json) std::printf("%s\n", json::serialize(answer.document).c_str());
  else std::fprintf(stderr, "revoked %s; it is refused from the next request on\n", id.c_str());
}

}  // namespace

void AddKey(CLI::App& app, Context& context) {
  auto* key = app.add_subcommand("key", "API keys: issue, list, revoke")->require_subcommand(1);

  auto* issue = key->add_subcommand("issue", "make a key and show it once");
  auto options = std::make_shared<IssueOptions>();
  AddSocketOption(*issue, options->socket);
  issue->add_option("--principal", options->principal, "who the key speaks for")->required();
  issue->add_option("--tenant", options->tenant, "cost centre or customer")->capture_default_str();
  issue->add_option("--kind", options->kind, "user or workload")
      ->check(CLI::IsMember({"user", "workload"}))->capture_default_str();
  issue->add_option("--label", options->label, "a note for the list of keys");
  issue->add_option("--home", options->home, "jurisdiction of the principal, for example DE");
  issue->add_option("--department", options->departments, "may be given several times");
  issue->add_option("--role", options->roles, "may be given several times; default: staff");
  issue->add_option("--clearance", options->clearance, "a number that policies read");
  issue->add_option("--days", options->days, "valid for; 0: until revoked")->capture_default_str();
  issue->add_option("--requests-per-minute", options->requests, "0: the gateway's default");
  issue->add_option("--tokens-per-minute", options->tokens, "0: the gateway's default");
  issue->add_option("--streams", options->streams, "at once; 0: the gateway's default");
  issue->add_option("--tokens-per-day", options->tokens_day, "0: the gateway's default");
  issue->add_option("--tokens-per-month", options->tokens_month, "0: the gateway's default");
  issue->callback([&context, options] { Issue(context, *options); });

  auto socket = std::make_shared<std::string>();
  auto* list = key->add_subcommand("list", "all keys, without their secrets");
  AddSocketOption(*list, *socket);
  list->callback([&context, socket] { List(context, *socket); });

  auto id = std::make_shared<std::string>();
  auto* revoke = key->add_subcommand("revoke", "refuse a key from now on");
  AddSocketOption(*revoke, *socket);
  revoke->add_option("id", *id, "key_… as `key list` shows it")->required();
  revoke->callback([&context, socket, id] { Revoke(context, *socket, *id); });

  auto* principal = app.add_subcommand("principal", "users and workloads")->require_subcommand(1);
  auto* put = principal->add_subcommand("put", "create or replace a user or a workload");
  auto who = std::make_shared<PrincipalOptions>();
  AddSocketOption(*put, who->socket);
  put->add_option("id", who->id, "its id in policies and records")->required();
  put->add_option("--tenant", who->tenant, "cost centre or customer")->capture_default_str();
  put->add_option("--kind", who->kind, "user or workload")
      ->check(CLI::IsMember({"user", "workload"}))->capture_default_str();
  put->add_option("--home", who->home, "jurisdiction, for example DE");
  put->add_option("--department", who->departments, "may be given several times");
  put->add_option("--role", who->roles, "may be given several times; admin opens the admin listener");
  put->add_option("--clearance", who->clearance, "a number that policies read");
  put->add_option("--certificate", who->certificate, "SAN URI of its client certificate");
  put->callback([&context, who] { PutPrincipal(context, *who); });
}

}  // namespace portcullis::cli
