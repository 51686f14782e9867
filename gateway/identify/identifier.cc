#include "gateway/identify/identifier.h"

#include <unistd.h>

#include <algorithm>
#include <boost/algorithm/string/predicate.hpp>

namespace portcullis::gateway {
namespace {

constexpr std::string_view kScheme = "Bearer ";

// Hashed in place of a token of the wrong form, so that both cost the same.
constexpr std::string_view kDecoy = "pk_0000000000000000000000000000000000000000000000000";
static_assert(kDecoy.size() == kApiKeyLength);

Error Refusal() {
  return Error{Code::kUnauthenticated,
               "no valid API key or client certificate: ask your administrator for one"};
}

}  // namespace

Identifier::Identifier(const Store& store, const KeyHasher& hasher, const Clock& clock,
                       IdentifierOptions options)
    : store_(store), hasher_(hasher), clock_(clock), options_(std::move(options)) {
  options_.admin_uids.push_back(0);
  options_.admin_uids.push_back(::geteuid());
}

Result<Identity> Identifier::Identify(const Peer& peer, const http::RequestHead& head) const {
  if (peer.kind == Peer::Kind::kUnix) return ByUid(peer.uid);
  std::vector<std::string_view> authorization;
  for (const http::Field& field : head.fields) {
    if (field.name == "authorization") authorization.emplace_back(field.value);
  }
  // Proof that is offered must hold: a bad key never falls back to the certificate beside it.
  const bool by_certificate = peer.certificate.has_value() && authorization.empty();
  if (peer.listener == "admin" || by_certificate) {
    return ByCertificate(peer.certificate ? peer.certificate->san_uri : std::string_view());
  }
  return ByBearer(authorization);
}

Result<Identity> Identifier::ByBearer(std::span<const std::string_view> authorization) const {
  std::string_view token;
  if (authorization.size() == 1 && boost::algorithm::istarts_with(authorization[0], kScheme)) {
    token = authorization[0].substr(kScheme.size());
  }
  const bool well_formed = IsWellFormedApiKey(token);
  const KeyHash hash = hasher_.Hash(well_formed ? token : kDecoy);
  const std::shared_ptr<const KeyTable> keys = store_.Keys();
  const KeyEntry* entry = keys->FindKey(hash);
  const int64_t now = clock_.UnixSeconds();
  if (!well_formed || entry == nullptr) return Refusal();
  if (entry->key.expires != 0 && entry->key.expires <= now) return Refusal();
  entry->MarkUsed(DayOf(now));
  return Identity(entry->profile, Method::kApiKey, entry->key.id, entry->key.limits);
}

Result<Identity> Identifier::ByCertificate(std::string_view san_uri) const {
  if (san_uri.empty()) return Refusal();
  std::shared_ptr<const Profile> profile = store_.Keys()->FindCertificate(san_uri);
  if (profile == nullptr) return Refusal();
  return Identity(std::move(profile), Method::kCertificate, {}, {});
}

Result<Identity> Identifier::ByUid(uid_t uid) const {
  if (std::ranges::find(options_.admin_uids, uid) == options_.admin_uids.end()) return Refusal();
  const std::string name = "unix:" + std::to_string(uid);
  auto profile = std::make_shared<const Profile>(Profile{
      .principal = {.id = name, .tenant = "local", .display_name = name, .roles = {"admin"}},
      .tenant = {.id = "local"}});
  return Identity(std::move(profile), Method::kUnixPeer, {}, {});
}

}  // namespace portcullis::gateway
