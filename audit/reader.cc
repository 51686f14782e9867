#include "audit/reader.h"

#include "audit/file.h"
#include "audit/layout.h"
#include "audit/scan.h"

namespace portcullis::audit {
namespace {

class Finder : public ScanVisitor {
 public:
  Finder(uint64_t seq, LoadedRecord& out) : seq_(seq), out_(out) {}

  void OnRecord(const ScannedRecord& record) override {
    if (found_ || record.leaf.seq > seq_) return;
    if (record.leaf.kind == Kind::kKey) keys_[record.leaf.seq] = {record.leaf, std::string(record.payload)};
    if (record.leaf.seq < seq_) return;
    found_ = true;
    out_.leaf = record.leaf;
    out_.leaf_hash = record.leaf_hash;
    out_.payload = record.payload;
    if (const auto key = keys_.find(record.leaf.chain); key != keys_.end() && record.leaf.parts > 0) {
      out_.key_leaf = key->second.first;
      out_.key_payload = key->second.second;
    }
  }
  bool found() const { return found_; }

 private:
  const uint64_t seq_;
  LoadedRecord& out_;
  bool found_ = false;
  std::map<uint64_t, std::pair<Leaf, std::string>> keys_;
};

}  // namespace

RecordOpener::RecordOpener(std::string_view origin, KeyStore* store,
                           const certs::SecretBytes* auditor_secret)
    : origin_(OriginId(origin)), store_(store), auditor_secret_(auditor_secret), record_key_(kKeySize) {}

void RecordOpener::TakeKey(const Leaf& leaf, std::string_view payload) {
  if (payload.size() < kPartEntrySize) return;
  chains_[leaf.seq] = Chain{std::string(payload.substr(kPartEntrySize)), {}, 0};
  if (chains_.size() > kMaxChains) chains_.erase(chains_.begin());
}

Result<std::vector<Part>> RecordOpener::Open(const Leaf& leaf, std::string_view payload) {
  if (store_ == nullptr || auditor_secret_ == nullptr) {
    return Error{Code::kKeys, "an auditor key and the subject's key are needed to open records"};
  }
  const auto found = chains_.find(leaf.chain);
  if (found == chains_.end()) {
    return Error{Code::kNotFound, "the KEY record of chain " + std::to_string(leaf.chain) + " is missing"};
  }
  Chain& chain = found->second;
  if (chain.key.empty() || chain.index > leaf.chain_index) {
    auto subject_key = store_->SubjectKey(leaf.subject);
    if (!subject_key) return subject_key.error();
    const WrapContext context{origin_, leaf.subject, leaf.epoch, leaf.chain};
    BOOST_OUTCOME_TRY(chain.key,
                      OpenWrapSet(chain.wrap_set, context, subject_key.value(), *auditor_secret_));
    chain.index = 0;
  }
  for (; chain.index < leaf.chain_index; ++chain.index) AdvanceChain(chain.key.bytes());
  DeriveRecordKey(chain.key.bytes(), leaf.seq, record_key_);
  auto parts = sealer_.Open(leaf, payload, record_key_);
  record_key_.Wipe();
  return parts;
}

Result<LoadedRecord> LoadRecord(const std::filesystem::path& log_folder, const VerifierKey& key,
                                uint64_t seq) {
  LoadedRecord record;
  Finder finder(seq, record);
  ScanOptions options;
  options.live = IsLocked(LogLayout(log_folder).lock());
  const ScanResult scan = ScanLog(log_folder, key, options, &finder);
  if (finder.found()) return record;
  if (scan.fault) return Error{scan.fault->code, scan.fault->message};
  return Error{Code::kNotFound, "the log ends at " + std::to_string(scan.tree.size()) +
                                    " records; there is no record " + std::to_string(seq)};
}

}  // namespace portcullis::audit
