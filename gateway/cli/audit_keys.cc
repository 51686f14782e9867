// `portcullis audit keys`: the log's keys and auditors, rotation of the key store, the end of a year's tag key, and,
// with auditd stopped, other auditors and another key over the key store, which its next start records. All else is recorded
// before it takes effect.
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <memory>

#include "audit/count.h"
#include "audit/file.h"
#include "audit/layout.h"
#include "certs/secret.h"
#include "gateway/cli/answer.h"
#include "gateway/cli/audit_acts.h"
#include "gateway/cli/audit_read.h"
#include "gateway/cli/days.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;

struct KeyArguments {
  std::string socket, reason, log, keys, set_auditors, new_store_key, year;
  bool rotate = false;
};

void SetAuditors(Context& context, const KeyArguments& arguments) {
  if (arguments.log.empty() || arguments.keys.empty()) {
    return Fail(context, kUsage, "--set-auditors needs --log and --keys, and auditd stopped");
  }
  const auto policy = audit::ReadAuditorsFile(arguments.set_auditors);
  const auto key = audit::ReadLogKey(arguments.log);
  if (!policy || !key) return Fail(context, kUsage, policy ? key.error().message : policy.error().message);
  const auto lock = audit::LockFile(audit::LogLayout(arguments.log).lock());
  if (!lock) return Fail(context, kUsage, lock.error().message);
  const auto put = audit::InstallAuditors(arguments.keys, key.value().name, policy.value());
  if (!put) return Fail(context, kUsage, put.error().message);
  Answer(context, "portcullis.audit.set-auditors/1", {{"auditors", policy.value().auditors.size()}},
         "in force with auditd's next start, whose BOOT record names the new policy's hash");
}

void NewStoreKey(Context& context, const KeyArguments& arguments) {
  if (arguments.log.empty() || arguments.keys.empty()) {
    return Fail(context, kUsage, "--new-store-key needs --log and --keys, and auditd stopped");
  }
  const auto key = audit::ReadLogKey(arguments.log);
  if (!key) return Fail(context, kUsage, key.error().message);
  const auto lock = audit::LockFile(audit::LogLayout(arguments.log).lock());
  if (!lock) return Fail(context, kUsage, lock.error().message);
  // Of this log, and not of one that was set aside: beside a working auditd's folder that lock is free.
  const auto own = audit::LoadAuditors(arguments.keys, key.value());
  if (!own) return Fail(context, kUsage, "`" + arguments.keys + "` holds not the keys of this log: " + own.error().message);
  const auto changed = audit::ChangeStoreKey(arguments.keys, arguments.new_store_key);
  if (!changed) return Fail(context, kUsage, changed.error().message);
  Answer(context, "portcullis.audit.new-store-key/1", {{"in_place", changed.value()}},
         (changed.value() ? "the key store is under a new key, which is in the place of the old one"
                          : "the key store is under the key in `" + arguments.new_store_key +
                                "`: seal it as the credential store.key, then destroy that file and the old credential") +
             std::string("; auditd's next start records it and renews all that is in it.\n"
                         "Copies of the keys folder and the old key still open what the key store held when they were made: destroy those"));
}

void DestroyYear(Context& context, const KeyArguments& arguments) {
  const auto year = YearOf(arguments.year);
  if (!year) {
    return Fail(context, kUsage, "--destroy-year: `" + arguments.year + "` is no year; write it as 2024");
  }
  const auto gone = AskAuditd(arguments.socket, "destroy-year", {{"year", arguments.year}, {"reason", arguments.reason}});
  if (!gone) return FailAct(context, gone.error());
  Answer(context, "portcullis.audit.destroy-year/1", {{"year", *year}},
         "the tag key of " + gone.value() + " is destroyed: nobody can be found by name in that year's records any more,\n"
         "all proofs still verify. Backups of the keys folder that hold store.key and store.salt have it: destroy those");
}

std::string Word(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return "";
  return value->is_string() ? ForTerminal(std::string(value->get_string())) : json::serialize(*value);
}

const json::array& Rows(const json::object& object, std::string_view name) {
  static const json::array kNone;
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_array() ? value->get_array() : kNone;
}

void PrintKeys(const json::object& keys) {
  const auto count = [&keys](const char* name, const char* one, const char* many) {
    const json::value* value = keys.if_contains(name);
    return audit::Counted(value != nullptr && value->is_number() ? value->to_number<uint64_t>() : 0, one, many);
  };
  std::cout << "log key: " << Word(keys, "log") << "\nday key: " << Word(keys, "day_key") << " of " << Word(keys, "day")
            << "\nkey store: generation " << Word(keys, "store_generation") << ", "
            << count("subject_keys", "subject key", "subject keys") << ", tag keys of "
            << count("tag_epochs", "year", "years") << "\nlegal holds in force: " << Word(keys, "holds")
            << "\nauditors (SHA-256 of their list " << Word(keys, "auditors_hash") << "):\n";
  for (const json::value& value : Rows(keys, "auditors")) {
    const json::object* one = value.if_object();
    if (one == nullptr) continue;
    const json::value* two = one->if_contains("two_person");
    std::cout << "  " << Word(*one, "name") << ", key " << Word(*one, "key") << ", jurisdiction "
              << Word(*one, "jurisdiction") << (two != nullptr && *two == true ? ", two together" : "") << "\n";
  }
  const json::array& witnesses = Rows(keys, "witnesses");
  std::cout << (witnesses.empty() ? "witnesses: none\n" : "witnesses:\n");
  for (const json::value& witness : witnesses) {
    if (witness.is_string()) std::cout << "  " << ForTerminal(std::string(witness.get_string())) << "\n";
  }
  std::cout << "witnessed: the first " << count("witnessed_size", "record", "records")
            << "\nhardware counter: " << Word(keys, "hardware_counter") << "\n";
}

void Keys(Context& context, const KeyArguments& arguments) {
  if (!arguments.set_auditors.empty()) return SetAuditors(context, arguments);
  if (!arguments.new_store_key.empty()) return NewStoreKey(context, arguments);
  if (arguments.socket.empty()) return Fail(context, kUsage, "keys needs --socket");
  if (!arguments.year.empty()) return DestroyYear(context, arguments);
  const auto done = AskAuditd(arguments.socket, arguments.rotate ? "rotate" : "keys", {});
  if (!done) return FailAct(context, done.error());
  if (arguments.rotate) {
    return Answer(context, "portcullis.audit.rotate/1", {{"generation", std::stoull(done.value())}},
                  "the key store is encrypted anew, generation " + done.value());
  }
  const json::object keys = ReplyOf(done.value());
  if (context.json) PrintJson("portcullis.audit.keys/1", keys);
  else PrintKeys(keys);
}

}  // namespace

void AddAuditKeys(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<KeyArguments>();
  CLI::App* keys = noun.add_subcommand("keys", "list the log's keys and auditors, rotate the key store, destroy a year's tag key");
  keys->add_option("--socket", arguments->socket, "auditd's socket");
  keys->add_flag("--rotate", arguments->rotate, "encrypt the key store anew");
  keys->add_option("--destroy-year", arguments->year, "destroy the key of a past year's blind tags: nobody is found by name in its records again");
  keys->add_option("--reason", arguments->reason, "why, for the record, for --destroy-year");
  keys->add_option("--set-auditors", arguments->set_auditors, "file with the auditors from now on");
  keys->add_option("--new-store-key", arguments->new_store_key,
                   "put the key store under another store.key, made in this file (or the one that a call cut off made)");
  keys->add_option("--log", arguments->log, "folder of the log, for --set-auditors and --new-store-key");
  keys->add_option("--keys", arguments->keys, "folder of the keys, for the same");
  keys->callback([&context, arguments] {
    certs::InitSodium();
    Keys(context, *arguments);
  });
}

}  // namespace portcullis::cli
