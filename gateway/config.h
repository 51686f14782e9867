// Configuration of the gateway: one TOML file, read once at start. Unknown keys, wrong types and
// values out of range stop the start with file, line and what was expected: a control that cannot
// work must not look as if it did. Relative paths are taken from the file's folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gateway/error.h"

namespace portcullis::gateway {

struct TlsListenerConfig {
  std::string address = "127.0.0.1";
  uint16_t port = 0;
  std::filesystem::path certificate;  // PEM chain
  std::filesystem::path key;          // PEM, mode 0600
  std::filesystem::path client_ca;    // set: client certificates are required
  std::filesystem::path client_crl;
  std::filesystem::path client_issuer;  // set: only leaves of these CAs are let in
  bool allow_tls12 = false;
};

// What is true of a place of inference; attributes of the Cedar entity Gw::Backend. Where it
// processes, where it stores, whose law its operator answers to, who holds the keys and where the
// model was made are five different things, so all five must be said.
struct SiteFacts {
  std::string processing, storage, operator_law, key_holder, model_origin;  // ids of jurisdictions
  bool on_prem = false;
  bool dpa_signed = false;
  bool zero_retention = false;
  int64_t retention_days = 0;
  std::string transfer_tool;
  std::string tia_valid_until;  // "2027-01-31"; when the transfer impact assessment runs out
  std::vector<std::string> pools;
};

struct SiteConfig {  // one place of inference
  std::string id;     // the Cedar entity Gw::Backend::"id"
  std::filesystem::path socket;
  std::optional<SiteFacts> facts;  // none: the policy set's entities know the site
};

struct JurisdictionConfig {
  std::string id;
  std::vector<std::string> in;  // groups and places that it lies in
};

// What is true of every device in a range of addresses.
struct NetworkConfig {
  std::string range;         // "10.20.0.0/16"
  std::string zone;          // empty: the gateway's
  std::string jurisdiction;  // empty: the caller's home
  bool managed = false;
  bool government = false;
};

struct OfficerConfig {
  std::string id;
  std::filesystem::path key;     // public key file; empty: the officer acts by signing in
  std::vector<std::string> may;  // propose, approve, apply
};

struct ProbationConfig {
  uint32_t minutes = 60;
  uint32_t min_calls = 50;            // before that many nothing is judged
  uint32_t min_callers = 10;          // nor before that many have called
  uint32_t error_percent = 1;         // of calls in which a policy could not be evaluated
  uint32_t refusal_rise_percent = 20; // points above the revision before
};

struct LimitsConfig {
  uint32_t requests_per_minute_key = 600;
  uint32_t requests_per_minute_tenant = 6000;
  uint32_t requests_per_minute_address = 1200;
  uint32_t unauthenticated_per_minute = 3000;
  uint64_t tokens_per_minute_key = 200000;
  uint32_t streams_per_key = 16;
  uint64_t tokens_per_day_key = 0;    // 0: none
  uint64_t tokens_per_month_key = 0;  // 0: none
  uint32_t running = 32;              // requests inside the engines at once
  uint32_t waiting = 256;             // requests in the fair queue
  uint32_t queue_target_ms = 2000;
  uint32_t queue_limit_ms = 10000;
  uint32_t max_connections = 4096;
  uint32_t max_connections_per_address = 512;
  uint32_t max_tokens_default = 1024;
  uint32_t max_tokens_limit = 32768;
  uint32_t drain_ms = 10000;
};

struct Config {
  TlsListenerConfig api;
  std::optional<TlsListenerConfig> admin;
  std::filesystem::path admin_socket;
  std::vector<uint32_t> admin_uids;    // besides root and the gateway's own
  std::filesystem::path audit_socket;
  uint32_t audit_wait_ms = 60;         // longest wait of a call's opening for an auditd that does not answer
  uint32_t audit_disk_wait_ms = 250;   // and for one that says it is writing; then 503
  uint32_t audit_end_wait_ms = 1000;   // for the record of an answer that is made already
  std::filesystem::path state;         // state.db
  std::filesystem::path pepper;        // key file of the API-key hash
  std::filesystem::path policy;        // folder with policy.cedar, schema.cedarschema, entities.json
  std::filesystem::path revisions;     // policy.db; empty: the folder decides, for development
  std::filesystem::path policy_key;    // key file that seals the revision store
  std::vector<OfficerConfig> officers;
  ProbationConfig probation;
  std::vector<JurisdictionConfig> jurisdictions;
  std::vector<NetworkConfig> networks;
  std::vector<SiteConfig> sites;
  std::string zone = "intranet";
  std::string jurisdiction = "EU";     // home of devices and of principals that name none
  std::vector<std::string> redact_output = {"Secret", "Financial", "GovernmentId"};
  LimitsConfig limits;
  uint32_t threads = 0;                // 0: one per core
  bool sandbox = true;
  bool exempt_loopback = false;        // no penalties for 127.0.0.0/8 and ::1; for demos and tests
  std::string log_level = "info";
};

Result<Config> LoadConfig(const std::filesystem::path& file);

}  // namespace portcullis::gateway
