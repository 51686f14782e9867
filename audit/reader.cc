#include "audit/reader.h"

#include <algorithm>

#include "audit/file.h"
#include "audit/layout.h"
#include "audit/scan.h"
#include "audit/segment_parse.h"
#include "audit/tiles.h"
#include "audit/walk.h"

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
    out_.erased = record.erased;
    out_.shredded = record.shredded;
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

// The record of that seq in a parsed segment.
const ParsedRecord* RecordIn(const ParsedSegment& segment, uint64_t seq) {
  if (!segment.has_header || seq < segment.header.first_seq) return nullptr;
  const uint64_t at = seq - segment.header.first_seq;
  if (at >= segment.records.size() || segment.records[at].seq != seq) return nullptr;
  return &segment.records[at];
}

// The segments by their first seqs, read from their headers.
class SegmentMap {
 public:
  static Result<SegmentMap> Read(const std::filesystem::path& log_folder, const VerifierKey& key) {
    SegmentMap map;
    map.folder_ = Within(log_folder) / "segments";
    BOOST_OUTCOME_TRY(const auto numbers, ListSegments(log_folder));
    for (const uint64_t number : numbers) {
      BOOST_OUTCOME_TRY(const auto header, ReadSegmentHeader(map.folder_ / SegmentName(number), key));
      map.first_seqs_[header.header.first_seq] = number;
    }
    return map;
  }
  Result<ParsedSegment> SegmentOf(uint64_t seq, const VerifierKey& key) const {
    auto after = first_seqs_.upper_bound(seq);
    if (after == first_seqs_.begin()) return Error{Code::kNotFound, "no segment holds this record"};
    return ParseSegmentFile(folder_ / SegmentName(std::prev(after)->second), key, {});
  }

 private:
  std::filesystem::path folder_;
  std::map<uint64_t, uint64_t> first_seqs_;
};

class Shreddings : public ScanVisitor {
 public:
  explicit Shreddings(uint64_t seq) : seq_(seq) {}
  void OnRecord(const ScannedRecord& record) override {
    if (record.leaf.kind != Kind::kErase || record.leaf.parent_seq != seq_) return;
    if (const auto part = ShreddedPart(record.leaf.outcome)) found.try_emplace(*part, record.leaf.seq);
  }
  std::map<PartType, uint64_t> found;

 private:
  const uint64_t seq_;
};

Result<void> ProveIncluded(const Hash& leaf_hash, uint64_t seq, const Checkpoint& head, const TileReader& tiles) {
  BOOST_OUTCOME_TRY(const auto proof, InclusionProof(seq, head.size, [&](unsigned level, uint64_t index) {
                      return tiles.Node(level, index);
                    }));
  return VerifyInclusion(leaf_hash, seq, head.size, proof, head.root);
}

Result<LoadedRecord> LoadProved(const std::filesystem::path& log_folder, const VerifierKey& key, uint64_t seq) {
  const LogLayout layout(log_folder);
  BOOST_OUTCOME_TRY(const std::string note, ReadFile(layout.checkpoint(), kMaxNote));
  BOOST_OUTCOME_TRY(const Checkpoint head, OpenCheckpoint(note, key));
  const TileReader tiles(layout.tiles(), head.size);
  BOOST_OUTCOME_TRY(const SegmentMap map, SegmentMap::Read(log_folder, key));
  const Error missing{Code::kNotFound, "no such record under the checkpoint"};
  BOOST_OUTCOME_TRY(const ParsedSegment segment, map.SegmentOf(seq, key));
  const ParsedRecord* found = RecordIn(segment, seq);
  if (found == nullptr) return missing;
  BOOST_OUTCOME_TRY(ProveIncluded(found->hash, seq, head, tiles));
  LoadedRecord record;
  record.leaf = segment.LeafOf(*found);
  record.leaf_hash = found->hash;
  record.payload = segment.Payload(*found);
  record.erased = found->erased;
  record.shredded = found->shredded;
  if (record.leaf.parts == 0 || record.leaf.kind == Kind::kKey) return record;
  BOOST_OUTCOME_TRY(const ParsedSegment earlier, map.SegmentOf(record.leaf.chain, key));
  const ParsedRecord* chain = RecordIn(earlier, record.leaf.chain);
  if (chain == nullptr) return missing;
  BOOST_OUTCOME_TRY(ProveIncluded(chain->hash, chain->seq, head, tiles));
  record.key_leaf = earlier.LeafOf(*chain);
  record.key_payload = earlier.Payload(*chain);
  return record;
}

Error NotNamed(uint64_t seq) {
  return Error{Code::kOtherAuditor, "the share given does not name record " + std::to_string(seq)};
}

}  // namespace

RecordOpener::RecordOpener(std::string_view origin, SubjectKeySource* keys,
                           std::vector<const certs::SecretBytes*> auditor_secrets, const Shares* shares)
    : origin_(OriginId(origin)), keys_(keys), auditor_secrets_(std::move(auditor_secrets)), shares_(shares),
      record_key_(kKeySize) {}

void RecordOpener::TakeKey(const Leaf& leaf, std::string_view payload) {
  if (payload.size() < kPartEntrySize) return;
  chains_[leaf.seq] = Chain{std::string(payload.substr(kPartEntrySize)), {}, 0, {}, {}, false};
  if (chains_.size() > kMaxChains) chains_.erase(chains_.begin());
}

Result<Opened> RecordOpener::Open(const Leaf& leaf, std::string_view payload) {
  BOOST_OUTCOME_TRY(const Chain* const chain, DeriveKey(leaf));
  auto opened = sealer_.Open(leaf, payload, record_key_, [&](PartType type, std::span<uint8_t> share) {
    return Share(*chain, leaf, type, share);
  });
  record_key_.Wipe();
  return opened;
}

Result<certs::SecretBytes> RecordOpener::PartKey(const Leaf& leaf, PartType type) {
  BOOST_OUTCOME_TRY(const Chain* const chain, DeriveKey(leaf));
  certs::SecretBytes key(kKeySize), share(kNodeSize);
  const bool there = Share(*chain, leaf, type, share.bytes());
  if (there) DerivePartKey(record_key_, type, share.bytes(), key);
  record_key_.Wipe();
  if (!there) return PartShredded(leaf.seq, type);
  return key;
}

bool RecordOpener::Share(const Chain& chain, const Leaf& leaf, PartType type, std::span<uint8_t> share) {
  const TreePoint point = PointOf(leaf.chain, leaf.chain_index, type);
  if (!chain.punctured.empty()) return chain.punctured.Node(point, kTreeDepth, share);
  std::copy(chain.node.bytes().begin(), chain.node.bytes().end(), share.begin());
  Descend(share, kChainDepth, kTreeDepth, point);
  return true;
}

Result<RecordOpener::Chain*> RecordOpener::DeriveKey(const Leaf& leaf) {
  if (keys_ == nullptr || auditor_secrets_.empty()) {
    return Error{Code::kKeys, "an auditor key and the subject's key are needed to open records"};
  }
  const auto found = chains_.find(leaf.chain);
  if (found == chains_.end()) {
    return Error{Code::kNotFound, "the KEY record of chain " + std::to_string(leaf.chain) + " is missing"};
  }
  BOOST_OUTCOME_TRY(CheckPlaceInTree(leaf));
  Chain& chain = found->second;
  if (chain.shared && !shares_->Covers(leaf.chain, leaf.seq)) return NotNamed(leaf.seq);
  if (chain.key.empty() || chain.index > leaf.chain_index) {
    BOOST_OUTCOME_TRY(OpenChain(leaf, chain));
  }
  for (; chain.index < leaf.chain_index; ++chain.index) AdvanceChain(chain.key.bytes());
  DeriveRecordKey(chain.key.bytes(), leaf.seq, record_key_);
  if (!chain.shared || IsRecordKey(leaf, record_key_)) return &chain;
  chain.key = {};
  return Error{Code::kOtherAuditor, "the share given is not the other auditor's half of the key of record " + std::to_string(leaf.seq)};
}

Result<void> RecordOpener::OpenChain(const Leaf& leaf, Chain& chain) {
  auto subject_key = keys_->KeyOf(SubjectKeyOf(leaf));
  if (!subject_key) return subject_key.error();
  const WrapContext context{origin_, SubjectKeyOf(leaf), leaf.epoch, leaf.chain};
  auto key = OpenWrapSet(chain.wrap_set, context, subject_key.value().wrap(), auditor_secrets_);
  chain.shared = !key && key.error().code == Code::kOtherAuditor && shares_ != nullptr && shares_->Knows(leaf.chain);
  if (chain.shared && shares_->Covers(leaf.chain, leaf.seq)) {
    key = OpenWrapSet(chain.wrap_set, context, subject_key.value().wrap(), auditor_secrets_,
                      shares_->HalvesFor(context, leaf.seq));
  }
  if (!key) {
    chain.key = {};
    return chain.shared && key.error().code == Code::kOtherAuditor ? NotNamed(leaf.seq) : key.error();
  }
  chain.key = std::move(key.value());
  chain.node = certs::SecretBytes(kNodeSize);
  const bool whole = subject_key.value().Node(PointOfChain(leaf.chain), kChainDepth, chain.node.bytes());
  if (!whole) {  // such a key may be large: of those one is kept, and the other chains begin anew
    for (auto& [seq, other] : chains_) {
      if (&other != &chain && !other.punctured.empty()) other = Chain{std::move(other.wrap_set), {}, 0, {}, {}, false};
    }
  }
  chain.punctured = whole ? SubjectKey() : std::move(subject_key.value());
  chain.index = 0;
  return Ok();
}

Result<LoadedRecord> LoadRecord(const std::filesystem::path& log_folder, const VerifierKey& key,
                                uint64_t seq) {
  if (auto proved = LoadProved(log_folder, key, seq)) return proved;
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

std::map<PartType, uint64_t> ShreddedBy(const std::filesystem::path& log_folder, const VerifierKey& key, uint64_t seq) {
  Shreddings shreddings(seq);
  ScanOptions options;
  options.payloads = false;
  options.live = IsLocked(LogLayout(log_folder).lock());
  (void)ScanLog(log_folder, key, options, &shreddings);
  return std::move(shreddings.found);
}

}  // namespace portcullis::audit
