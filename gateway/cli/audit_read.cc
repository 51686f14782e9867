// `portcullis audit show | tail`: one record, with its content where the keys are given, and the last
// ones without. With --socket the reading itself is recorded first (AUDIT_READ).
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include "audit/client.h"
#include "audit/layout.h"
#include "audit/file.h"
#include "audit/note.h"
#include "audit/tail.h"
#include "gateway/cli/audit_read.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds kTailPause{250};

struct ReadArguments {
  std::string log, socket;
  OpeningArguments opening;
  uint64_t seq = 0;
  uint64_t lines = 20;
  bool follow = false;
};

// The log tells of the reading before anything is read.
audit::Result<void> RecordReading(const ReadArguments& arguments, const audit::Leaf& leaf) {
  BOOST_OUTCOME_TRY(audit::Client client, audit::Client::Connect(arguments.socket));
  audit::Event event;
  event.kind = audit::Kind::kAuditRead;
  event.parent_seq = leaf.seq;
  json::object facts;
  facts["seq"] = leaf.seq;
  facts["subject_tag"] = audit::Hex(leaf.subject);
  facts["uid"] = ::getuid();
  event.parts.push_back(audit::Part{audit::PartType::kMetadata, json::serialize(facts)});
  BOOST_OUTCOME_TRY(client.Append({&event, 1}));
  return audit::Ok();
}

// The record that says so, where the log has one.
std::string ShreddedWords(const std::map<audit::PartType, uint64_t>& by, audit::PartType part) {
  const auto found = by.find(part);
  if (found == by.end()) return "this part is gone, and no ERASE record says so: portcullis-verify judges the log";
  return "this part was shredded by record " + std::to_string(found->second);
}

void PrintRecord(const Context& context, const audit::LoadedRecord& record, const audit::Opened& opened,
                 const std::map<audit::PartType, uint64_t>& by) {
  json::object out = Summary(record.leaf, record.leaf_hash);
  if (context.json) {
    out["parts"] = Contents(opened.parts);
    json::object shredded;
    for (const audit::PartType part : opened.shredded) {
      const auto found = by.find(part);
      shredded[audit::PartName(part)] = found == by.end() ? json::value() : json::value(found->second);
    }
    if (!shredded.empty()) out["shredded"] = std::move(shredded);
    std::cout << json::serialize(out) << "\n";
    return;
  }
  for (const auto& [name, value] : out) {
    if (name == "schema") continue;
    std::cout << std::string(name) << ": "
              << (value.is_string() ? std::string(value.as_string()) : json::serialize(value)) << "\n";
  }
  for (const audit::Part& part : opened.parts) {
    std::cout << "--- " << audit::PartName(part.type) << "\n" << ForTerminal(part.bytes) << "\n";
  }
  for (const audit::PartType part : opened.shredded) {
    std::cout << "--- " << audit::PartName(part) << "\n(" << ShreddedWords(by, part) << ")\n";
  }
}

void Show(Context& context, const ReadArguments& arguments) {
  const auto key = audit::ReadLogKey(arguments.log);
  if (!key) return Fail(context, kUsage, key.error().message);
  auto record = audit::LoadRecord(arguments.log, key.value(), arguments.seq);
  if (!record) {
    const bool damaged = record.error().code == audit::Code::kTampered;
    return Fail(context, damaged ? kNo : kUsage, record.error().message);
  }
  audit::Opened content;
  std::map<audit::PartType, uint64_t> shredded_by;
  if (!record.value().key_payload.empty()) {
    if (record.value().erased) {
      std::cerr << "the content was erased; the proof of the record stands\n";
    } else if (!arguments.opening.any()) {
      std::cerr << "the content is sealed: --auditor-key and --release (or on the box --keys) open it\n";
    } else {
      Opening opening;
      if (auto ready = opening.Prepare(arguments.opening, key.value()); !ready) {
        return Fail(context, kUsage, ready.error().message);
      }
      if (!arguments.socket.empty()) {
        auto told = RecordReading(arguments, record.value().leaf);
        if (!told) return Fail(context, kRemote, "not read, as it could not be recorded: " + told.error().message);
      }
      audit::RecordOpener opener = opening.MakeOpener(key.value().name);
      opener.TakeKey(record.value().key_leaf, record.value().key_payload);
      auto opened = opener.Open(record.value().leaf, record.value().payload);
      if (!opened) return Fail(context, kNo, opened.error().message);
      content = std::move(opened.value());
      if (!content.shredded.empty()) shredded_by = audit::ShreddedBy(arguments.log, key.value(), arguments.seq);
    }
  }
  PrintRecord(context, record.value(), content, shredded_by);
}

void Tail(Context& context, const ReadArguments& arguments) {
  const auto key = audit::ReadLogKey(arguments.log);
  if (!key) return Fail(context, kUsage, key.error().message);
  const audit::OnFound print = [&context](const audit::Leaf& leaf, const audit::Hash& hash) {
    if (context.json) std::cout << json::serialize(Summary(leaf, hash)) << "\n";
    else PrintLine(leaf);
  };
  audit::TailReader tail(arguments.log, key.value());
  const auto warning = tail.Begin(arguments.lines, print);
  std::cout.flush();
  if (!warning) return Fail(context, kNo, warning.error().message);
  if (!warning.value().empty()) std::cerr << "warning: " << warning.value() << "\n";
  while (arguments.follow) {
    std::this_thread::sleep_for(kTailPause);
    const auto next = tail.Next(print);
    std::cout.flush();
    if (!next) return Fail(context, kNo, next.error().message);
    if (!std::cout) return Fail(context, kUsage, "writing to standard output failed");
  }
}

}  // namespace

void AddAuditRead(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<ReadArguments>();
  CLI::App* show = noun.add_subcommand("show", "show one record");
  show->add_option("SEQ", arguments->seq, "its number")->required();
  show->add_option("--log", arguments->log, "folder of the log")->required();
  AddOpeningOptions(*show, arguments->opening);
  show->add_option("--socket", arguments->socket, "auditd's socket: the reading is recorded first");
  show->callback([&context, arguments] { Show(context, *arguments); });

  CLI::App* tail = noun.add_subcommand("tail", "show the last records, without content");
  tail->add_option("--log", arguments->log, "folder of the log")->required();
  tail->add_option("-n,--lines", arguments->lines, "how many");
  tail->add_flag("-f,--follow", arguments->follow, "go on as records come");
  tail->callback([&context, arguments] { Tail(context, *arguments); });
}

}  // namespace portcullis::cli
