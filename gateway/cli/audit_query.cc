#include "gateway/cli/audit_query.h"

#include "audit/key_folder.h"
#include "audit/layout.h"
#include "audit/tags.h"

namespace portcullis::cli {
namespace {

// Bytes from twice as many hex digits, of either case.
template <size_t N>
bool FromHex(const std::string& text, std::array<uint8_t, N>& out) {
  if (text.size() != 2 * N) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return false;
    out[i / 2] = static_cast<uint8_t>(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
  }
  return true;
}

audit::Result<void> AddTerms(const QueryArguments& arguments, audit::Query& query) {
  if (arguments.users.empty() && arguments.tenants.empty() && arguments.tags.empty()) return audit::Ok();
  if (arguments.keys.empty()) {
    return audit::Error{audit::Code::kInvalidArgument,
                        "names are recorded as keyed tags; give the folder of the keys (--keys) to search for them"};
  }
  BOOST_OUTCOME_TRY(const audit::VerifierKey log_key, audit::ReadLogKey(arguments.log));
  BOOST_OUTCOME_TRY(audit::CheckKeysAreOf(arguments.keys, log_key));
  BOOST_OUTCOME_TRY(const auto store, audit::OpenKeyStore(arguments.keys, audit::KeyStore::Mode::kReadOnly));
  const auto add = [&](const char* label, const std::vector<std::string>& texts) -> audit::Result<void> {
    if (texts.empty()) return audit::Ok();
    std::vector<audit::SearchTerm> any;
    for (const std::string& text : texts) {
      BOOST_OUTCOME_TRY(auto term, audit::SearchTerm::Make(*store, label, text));
      any.push_back(std::move(term));
    }
    query.terms.push_back(std::move(any));
    return audit::Ok();
  };
  BOOST_OUTCOME_TRY(add("subject", arguments.users));
  BOOST_OUTCOME_TRY(add("tenant", arguments.tenants));
  return add("tag", arguments.tags);
}

template <class T>
bool ReadHex(Context& context, const char* option, const std::string& text, std::optional<T>& out) {
  if (text.empty()) return true;
  if (FromHex(text, out.emplace())) return true;
  Fail(context, kUsage, std::string(option) + ": `" + text + "` is not " + std::to_string(2 * sizeof(T)) + " hex digits");
  return false;
}

}  // namespace

std::optional<audit::Query> QueryOf(Context& context, const QueryArguments& arguments) {
  audit::Query query;
  const auto period = PeriodOf(context, arguments.period);
  if (!period) return std::nullopt;
  query.begin_us = period->begin_us;
  query.end_us = period->end_us;
  query.outcome = arguments.outcome;
  query.parent = arguments.parent;
  if (!ReadHex(context, "--request", arguments.request, query.request)) return std::nullopt;
  if (!ReadHex(context, "--policy", arguments.policy, query.policy)) return std::nullopt;
  for (const std::string& name : arguments.kinds) {
    const auto kind = audit::KindFromName(name);
    if (!kind) {
      Fail(context, kUsage, "--kind: there is no kind `" + name + "`; kinds are REQ, DECISION, RESP, ABORT, ADMIN, "
                            "CONFIG, KEY, RELEASE, AUDIT_READ, ERASE, HOLD, HEARTBEAT, BOOT, STOP, CLOCK, RECOVERY, "
                            "ABUSE, SIEGE");
      return std::nullopt;
    }
    query.kinds.push_back(*kind);
  }
  if (auto added = AddTerms(arguments, query); !added) {
    Fail(context, kUsage, added.error().message);
    return std::nullopt;
  }
  return query;
}

void AddQueryOptions(CLI::App& command, QueryArguments& arguments) {
  command.add_option("--log", arguments.log, "folder of the log")->required();
  AddPeriodOptions(command, arguments.period);
  command.add_option("--kind", arguments.kinds, "REQ, DECISION, RESP â¦ ; may be repeated");
  command.add_option("--outcome", arguments.outcome, "HTTP status, or 1 allowed, 2 refused, 3 treated");
  command.add_option("--request", arguments.request, "a request's id, 32 hex digits");
  command.add_option("--parent", arguments.parent, "records that belong to the one of this number");
  command.add_option("--policy", arguments.policy, "under which policy, 64 hex digits");
  command.add_option("--user", arguments.users, "whose records; needs --keys");
  command.add_option("--tenant", arguments.tenants, "of which tenant; needs --keys");
  command.add_option("--tag", arguments.tags, "like model:NAME, policy:NAME, operation:NAME; needs --keys");
  command.add_option("--limit", arguments.limit, "at most so many; 0: all");
}

}  // namespace portcullis::cli
