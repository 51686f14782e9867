// Keys and tokens of services. A prefix of at least two units; a token is at most 512 long.
#include <array>

#include "policy/classify/detectors/secret_prefix.h"

namespace portcullis::policy {
namespace {

using enum KeyAlphabet;

constexpr Label Key(std::string_view kind) { return {"Secret", kind, 4}; }
constexpr Label TestKey(std::string_view kind) { return {"Secret", kind, 3}; }

constexpr SecretPrefix kTable[] = {
    // Language models
    {"sk-proj-", kBase64Url, 40, 220, Key("openai_key")},
    {"sk-svcacct-", kBase64Url, 40, 220, Key("openai_key")},
    {"sk-admin-", kBase64Url, 40, 220, Key("openai_key")},
    {"sk-ant-", kBase64Url, 40, 140, Key("anthropic_key")},
    {"sk-or-v1-", kHex, 64, 64, Key("openrouter_key")},
    {"sk-", kAlnum, 32, 64, Key("openai_key")},
    {"xai-", kAlnum, 80, 80, Key("xai_key")},
    {"gsk_", kAlnum, 52, 52, Key("groq_key")},
    {"pplx-", kAlnum, 48, 56, Key("perplexity_key")},
    {"hf_", kAlnum, 34, 40, Key("huggingface_token")},
    {"api_org_", kAlnum, 34, 40, Key("huggingface_token")},
    {"r8_", kAlnum, 37, 40, Key("replicate_token")},
    // Clouds
    {"AIza", kBase64Url, 35, 35, Key("gcp_api_key")},
    {"ya29.", kBase64Url, 40, 512, Key("gcp_oauth_token")},
    {"GOCSPX-", kBase64Url, 28, 28, Key("gcp_client_secret")},
    {"AccountKey=", kBase64, 88, 88, Key("azure_storage_key")},
    {"dop_v1_", kHex, 64, 64, Key("digitalocean_token")},
    {"doo_v1_", kHex, 64, 64, Key("digitalocean_token")},
    {"dor_v1_", kHex, 64, 64, Key("digitalocean_token")},
    {"hvs.", kBase64Url, 24, 200, Key("vault_token")},
    {"hvb.", kBase64Url, 24, 300, Key("vault_token")},
    {"dapi", kHex, 32, 34, Key("databricks_token")},
    {"sbp_", kHex, 40, 40, Key("supabase_token")},
    {"pscale_tkn_", kBase64Url, 32, 64, Key("planetscale_token")},
    {"pscale_pw_", kBase64Url, 32, 64, Key("planetscale_token")},
    {"dp.pt.", kAlnum, 40, 44, Key("doppler_token")},
    {"AGE-SECRET-KEY-1", kUpperDigit, 58, 58, Key("age_key")},
    // Chat and mail
    {"xoxb-", kBase64Url, 24, 200, Key("slack_token")},
    {"xoxp-", kBase64Url, 24, 200, Key("slack_token")},
    {"xoxa-", kBase64Url, 24, 200, Key("slack_token")},
    {"xoxr-", kBase64Url, 24, 200, Key("slack_token")},
    {"xoxs-", kBase64Url, 24, 200, Key("slack_token")},
    {"xoxe-", kBase64Url, 24, 300, Key("slack_token")},
    {"xapp-", kBase64Url, 24, 200, Key("slack_token")},
    {"hooks.slack.com/services/T", kBase64, 30, 80, Key("slack_webhook")},
    {"SG.", kDotted, 66, 66, Key("sendgrid_key")},
    {"key-", kHex, 32, 32, Key("mailgun_key")},
    {"xkeysib-", kBase64Url, 80, 84, Key("brevo_key")},
    {"SK", kHex, 32, 32, Key("twilio_key")},
    // Payment and shops
    {"sk_live_", kAlnum, 24, 247, Key("stripe_key")},
    {"rk_live_", kAlnum, 24, 247, Key("stripe_key")},
    {"sk_test_", kAlnum, 24, 247, TestKey("stripe_key")},
    {"rk_test_", kAlnum, 24, 247, TestKey("stripe_key")},
    {"whsec_", kBase64, 32, 64, Key("stripe_webhook_secret")},
    {"sq0atp-", kBase64Url, 22, 22, Key("square_token")},
    {"sq0csp-", kBase64Url, 43, 43, Key("square_token")},
    {"shpat_", kHex, 32, 32, Key("shopify_token")},
    {"shpss_", kHex, 32, 32, Key("shopify_token")},
    {"shpca_", kHex, 32, 32, Key("shopify_token")},
    {"shppa_", kHex, 32, 32, Key("shopify_token")},
    // Code and delivery
    {"glpat-", kBase64Url, 20, 64, Key("gitlab_token")},
    {"gldt-", kBase64Url, 20, 64, Key("gitlab_token")},
    {"glrt-", kBase64Url, 20, 64, Key("gitlab_token")},
    {"glptt-", kHex, 40, 40, Key("gitlab_token")},
    {"pypi-AgEIcHlwaS5vcmc", kBase64Url, 50, 400, Key("pypi_token")},
    {"rubygems_", kHex, 48, 48, Key("rubygems_key")},
    {"dckr_pat_", kBase64Url, 27, 32, Key("docker_token")},
    {"ATATT3xFfGF0", kBase64, 150, 220, Key("atlassian_token")},
    {"lin_api_", kAlnum, 40, 40, Key("linear_key")},
    {"ntn_", kAlnum, 40, 50, Key("notion_token")},
    {"figd_", kBase64Url, 40, 44, Key("figma_token")},
    {"PMAK-", kBase64Url, 59, 59, Key("postman_key")},
    // Observation
    {"NRAK-", kUpperDigit, 27, 27, Key("newrelic_key")},
    {"glsa_", kBase64Url, 41, 41, Key("grafana_token")},
    {"glc_", kBase64, 32, 400, Key("grafana_token")},
    {"sntrys_", kBase64Url, 60, 400, Key("sentry_token")},
};

constexpr auto kLiterals = [] {
  std::array<std::string_view, std::size(kTable)> literals{};
  for (size_t i = 0; i < literals.size(); ++i) literals[i] = kTable[i].prefix;
  return literals;
}();

}  // namespace

constinit const std::span<const SecretPrefix> kSecretPrefixTable = kTable;
constinit const std::span<const std::string_view> kSecretPrefixLiterals = kLiterals;

}  // namespace portcullis::policy
