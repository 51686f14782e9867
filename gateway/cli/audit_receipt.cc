// `portcullis audit receipt`: what the holder of a receipt can show with it, anywhere, with the log's verifier key
// alone: that the log gave it, and, with the answer of GET /v1/audit/receipts/{seq} (or a tlog-proof), that the
// record stands in the log. Exit 3: it does not.
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <memory>
#include <optional>

#include "audit/count.h"
#include "audit/file.h"
#include "audit/layout.h"
#include "audit/receipt.h"
#include "audit/record.h"
#include "certs/secret.h"
#include "gateway/cli/audit_read.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;

constexpr size_t kMaxAnswer = 1 << 20;  // bytes

struct ReceiptArguments {
  std::string receipt, log_key, proof, days;
};

// What the log gave for the record.
struct LogAnswer {
  std::string proof;  // tlog-proof
  std::string leaf;   // empty: not told
};

struct Checked {
  audit::Receipt receipt;
  std::optional<audit::Checkpoint> checkpoint;  // under which its record stands
  std::string leaf;
};

audit::Result<LogAnswer> ReadAnswer(const std::string& file) {
  BOOST_OUTCOME_TRY(std::string text, audit::ReadFile(file, kMaxAnswer));
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos || text[begin] != '{') return LogAnswer{std::move(text), {}};
  const audit::Error bad{audit::Code::kInvalidArgument,
                         "`" + file + "` is neither the answer of GET /v1/audit/receipts/{seq} nor a tlog-proof"};
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return bad;
  const json::value* proof = value.get_object().if_contains("proof");
  const json::value* leaf = value.get_object().if_contains("leaf");
  if (proof == nullptr || !proof->is_string() || leaf == nullptr || !leaf->is_string()) return bad;
  auto bytes = audit::FromBase64(leaf->get_string(), audit::kLeafSize);
  if (!bytes) return bad;
  return LogAnswer{std::string(proof->get_string()), std::move(bytes.value())};
}

// By a key of the list, or else by one that the proof carries: a day may have got another key since the list was
// fetched. `extra` is not under the proof's signatures, and another program's where that made the proof.
audit::Result<audit::Receipt> OpenByEither(const std::string& text, const audit::DayList& listed, const std::string& extra,
                                           const audit::VerifierKey& log_key) {
  const auto opened = audit::OpenReceipt(text, log_key.name, listed);
  if (opened) return opened;
  const bool unlisted = opened.error().code == audit::Code::kNotFound;
  const auto carried = audit::OpenDayKeys(extra, log_key);
  if (!carried) return unlisted ? carried.error() : opened.error();
  const auto again = audit::OpenReceipt(text, log_key.name, carried.value());
  return again || unlisted ? again : opened;
}

audit::Result<Checked> Check(const ReceiptArguments& arguments, const audit::VerifierKey& log_key) {
  BOOST_OUTCOME_TRY(const auto texts, audit::LoadReceipts(arguments.receipt));
  if (texts.size() != 1) {
    return audit::Error{audit::Code::kInvalidArgument, "`" + arguments.receipt + "` holds more than one receipt"};
  }
  BOOST_OUTCOME_TRY(const audit::Receipt said, audit::ReadReceiptUnverified(texts.front()));
  if (arguments.proof.empty() && arguments.days.empty()) {
    return audit::Error{audit::Code::kInvalidArgument,
                        "the receipt says record " + std::to_string(said.seq) + " of " + audit::DayName(said.day) +
                            "; to check it give --proof with the answer of GET /v1/audit/receipts/" +
                            std::to_string(said.seq) + ", or --days with the log's signed list"};
  }
  audit::DayList days;
  if (!arguments.days.empty()) {
    BOOST_OUTCOME_TRY(const std::string note, audit::ReadFile(arguments.days, audit::kMaxNote));
    BOOST_OUTCOME_TRY(days, audit::OpenDayList(note, log_key));
  }
  LogAnswer answer;
  audit::TlogProof proof;
  if (!arguments.proof.empty()) {
    BOOST_OUTCOME_TRY(answer, ReadAnswer(arguments.proof));
    BOOST_OUTCOME_TRY(proof, audit::ParseProof(answer.proof));
  }
  Checked checked;
  BOOST_OUTCOME_TRY(checked.receipt, OpenByEither(texts.front(), days, proof.extra, log_key));
  if (arguments.proof.empty()) return checked;
  BOOST_OUTCOME_TRY(checked.checkpoint, audit::CheckInclusion(checked.receipt, proof, answer.leaf, log_key));
  checked.leaf = std::move(answer.leaf);
  return checked;
}

void Print(const Context& context, const Checked& checked, const audit::VerifierKey& log_key) {
  const audit::Receipt& receipt = checked.receipt;
  const auto leaf = audit::DecodeLeaf(checked.leaf);
  if (context.json) {
    json::object out{{"schema", "portcullis.audit.receipt/1"}, {"valid", true}, {"log", log_key.name},
                     {"seq", receipt.seq}, {"leaf_hash", audit::Base64(receipt.leaf_hash)},
                     {"day", audit::DayName(receipt.day)}, {"in_log", checked.checkpoint.has_value()},
                     {"checkpoint_size", nullptr}, {"time", nullptr}};
    if (checked.checkpoint) out["checkpoint_size"] = checked.checkpoint->size;
    if (leaf) out["time"] = TimeText(leaf.value().wall_us);
    std::cout << json::serialize(out) << "\n";
    return;
  }
  std::cout << "VALID\n  receipt: record " << receipt.seq << " of " << log_key.name << ", leaf hash "
            << audit::Base64(receipt.leaf_hash) << "\n";
  if (leaf) std::cout << "  recorded: " << TimeText(leaf.value().wall_us) << "\n";
  std::cout << "  proved: the log gave it, signed by its key of " << audit::DayName(receipt.day) << "\n";
  if (checked.checkpoint) {
    std::cout << "  proved: the record stands in the log under its checkpoint of "
              << audit::CountedRecords(checked.checkpoint->size) << "\n  not proved: that this history is the one that others see (portcullis-verify --receipt --witness)\n";
  } else {
    std::cout << "  not proved: that the record stands in the log (--proof)\n";
  }
}

void CheckReceipt(Context& context, const ReceiptArguments& arguments) {
  const auto log_key = audit::ReadVerifierKey(arguments.log_key);
  if (!log_key) return Fail(context, kUsage, log_key.error().message);
  const auto checked = Check(arguments, log_key.value());
  if (checked) return Print(context, checked.value(), log_key.value());
  const audit::Code code = checked.error().code;
  const bool no = code == audit::Code::kTampered || code == audit::Code::kForked;
  Fail(context, no ? kNo : kUsage, "receipt: " + checked.error().message);
}

}  // namespace

void AddAuditReceipt(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<ReceiptArguments>();
  CLI::App* receipt = noun.add_subcommand("receipt", "check a receipt that you hold; exit 0 valid, 3 not");
  receipt->add_option("RECEIPT", arguments->receipt, "x-portcullis-receipt of an answer, or a file with it")->required();
  receipt->add_option("--log-key", arguments->log_key, "the log's verifier key, log.pub")->required();
  receipt->add_option("--proof", arguments->proof, "answer of GET /v1/audit/receipts/{seq}, or a tlog-proof");
  receipt->add_option("--days", arguments->days, "the log's signed list of day keys, where the proof has none");
  receipt->callback([&context, arguments] {
    certs::InitSodium();
    CheckReceipt(context, *arguments);
  });
}

}  // namespace portcullis::cli
