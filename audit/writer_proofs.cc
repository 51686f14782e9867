// Proofs for holders of receipts. A proof is checked here before it goes out, so that a damaged tile,
// which is only a cache, is noticed, rebuilt in the background and never handed to anybody.

#include <algorithm>

#include "audit/composer.h"
#include "audit/proof.h"
#include "audit/receipt.h"
#include "audit/scan.h"
#include "audit/writer.h"

namespace portcullis::audit {
namespace {

class TileFeeder : public ScanVisitor {
 public:
  TileFeeder(TileStore& tiles, uint64_t end) : tiles_(tiles), end_(end) {}
  void OnRecord(const ScannedRecord& record) override {
    if (record.leaf.seq < end_) (void)tiles_.Append(record.leaf_bytes, record.leaf_hash);
  }

 private:
  TileStore& tiles_;
  const uint64_t end_;
};

constexpr uint64_t kSlackUs = 3'600'000'000;  // a record's clock may be so far outside the day of the key that signed it

const Error kNoSuchRecord{Code::kNotFound, "there is no such record, or it is not yours"};

// The keys that may have signed the record's receipt. An Ed25519 signature is the same each time, so the endorsement
// is the one in the header of the segment.
std::vector<EndorsedKey> DayKeysOf(const Leaf& leaf, const DayList& days, const Signer& signer) {
  std::vector<EndorsedKey> keys;
  const uint32_t last = DayOf(leaf.wall_us + kSlackUs);
  for (uint32_t day = DayOf(leaf.wall_us - std::min(leaf.wall_us, kSlackUs)); day <= last; ++day) {
    const auto [begin, end] = days.keys.equal_range(DayName(day));
    for (auto entry = begin; entry != end && keys.size() < kMaxEndorsedKeys; ++entry) {
      keys.push_back({day, entry->second, signer.Endorse(day, entry->second)});
    }
  }
  return keys;
}

}  // namespace

void Writer::ProcessProofs(std::vector<ProofJob> jobs) {
  for (ProofJob& job : jobs) {
    auto made = MakeProof(job.request);
    if (!made && made.error().code == Code::kTampered) RebuildTiles();
    Proof proof = made ? std::move(made.value())
                       : Proof{0, static_cast<uint32_t>(made.error().code), made.error().message, {}, {}};
    proof.correlation = job.request.correlation;
    job.done(std::move(proof));
  }
}

// The leaf's subject tag says whose record it is.
Result<void> Writer::CheckHolder(const ProofRequest& request, const Leaf& leaf) {
  if (request.subject.empty()) return Ok();
  const auto tag = composer_->SubjectTag(request.subject, leaf.epoch);
  if (!tag || tag.value() != leaf.subject) return kNoSuchRecord;
  return Ok();
}

Result<Proof> Writer::MakeProof(const ProofRequest& request) {
  if (request.seq >= appender_.size()) return kNoSuchRecord;
  const Error damaged{Code::kTampered, "a cached tile is damaged and is being rebuilt; ask again"};
  auto entry = tiles_.Entry(request.seq);
  if (!entry) return damaged;
  const auto leaf = DecodeLeaf(entry.value());
  if (!leaf || leaf.value().seq != request.seq) return damaged;
  BOOST_OUTCOME_TRY(CheckHolder(request, leaf.value()));
  if (request.seq >= signer_.size()) {
    BOOST_OUTCOME_TRY(SignNow());
  }
  // A checkpoint that witnesses cosigned is worth more than a newer one.
  const bool witnessed = request.seq < witnessed_.head().size;
  const uint64_t size = witnessed ? witnessed_.head().size : signer_.size();
  const Hash root = witnessed ? witnessed_.head().root : signer_.root();
  const auto hashes = InclusionProof(request.seq, size, [this](unsigned level, uint64_t index) {
    return tiles_.Node(level, index);
  });
  if (!hashes || !VerifyInclusion(LeafHash(entry.value()), request.seq, size, hashes.value(), root)) {
    return damaged;
  }
  Proof proof;
  proof.text = FormatProof(TlogProof{request.seq, hashes.value(), witnessed ? witnessed_.note() : note_,
                                     EncodeDayKeys(DayKeysOf(leaf.value(), days_, signer_))});
  proof.leaf = std::move(entry.value());
  return proof;
}

void Writer::RebuildTiles() {
  if (std::exchange(rebuilding_, true)) return;
  Say("a cached tile is damaged: the tiles are rebuilt from the segments");
  worker_->Post([this, folder = options_.log_folder, key = signer_.key(), end = appender_.size()] {
    TileStore tiles(LogLayout(folder).tiles());
    TileFeeder feeder(tiles, end / TileStore::kWidth * TileStore::kWidth);
    ScanOptions options;
    options.payloads = false;
    options.live = true;
    options.threads = 1;
    const ScanResult scan = ScanLog(folder, key, options, &feeder);
    const std::lock_guard guard(mutex_);
    finished_.push_back([this, why = scan.fault ? scan.fault->message : std::string()] {
      rebuilding_ = false;
      Say(why.empty() ? "the tiles are whole again" : "the tiles could not be rebuilt: " + why);
    });
    wake_.notify_one();
  });
}

}  // namespace portcullis::audit
