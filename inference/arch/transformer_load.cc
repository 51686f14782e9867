// How a model comes to its weights, and how it is made sure of them afterwards. Packed weights may
// be taken from a cache before the digest of the files is known, since hashing takes as long; the
// digest decides in the end whether they may be used (SetDigest), and packing them again, beside
// serving, that nobody made them up (CheckIntegrity).
#include <algorithm>
#include <array>
#include <string>

#include "inference/arch/transformer.h"
#include "inference/model/pack_source.h"

namespace portcullis::inference {
namespace {

constexpr int64_t kWorthCaching = 64 << 20;  // bytes of packed weights

}  // namespace

Result<void> Transformer::Initialize(ModelInfo info) {
  info_ = std::move(info);
  FindPacked();
  std::vector<float> divisors;
  if (weights_.Has(Role::kRopeFactors)) {
    BOOST_OUTCOME_TRY(divisors,
                      weights_.GetVector(Role::kRopeFactors, 0, config_.rope.dimensions / 2));
    if (!std::ranges::all_of(divisors, [](float value) { return value > 0; })) {
      return Error{Code::kBadTensor, "the rotary embedding's factors are not positive"};
    }
  }
  rope_ = Rope(config_.rope, divisors);
  BOOST_OUTCOME_TRY(embedding_, weights_.GetMatrix(Role::kEmbedding, 0, config_.vocab_size,
                                                   config_.hidden_size));
  BOOST_OUTCOME_TRY(output_norm_, weights_.GetVector(Role::kOutputNorm, 0, config_.hidden_size));
  BOOST_OUTCOME_TRY(output_,
                    LoadGemm(config_.tied_embeddings ? Role::kEmbedding : Role::kOutput, 0,
                             config_.vocab_size, config_.hidden_size));
  kv_shape_ = CacheShape();
  const int64_t page_bytes = cache_layers() * LayerBytes(kv_shape_);
  if (!pool_.Initialize(page_bytes, options_.kv_bytes)) {
    return Error{Code::kOutOfMemory,
                 "no memory for keys and values: the budget is " +
                     std::to_string(options_.kv_bytes) + " bytes, and a page of " +
                     std::to_string(kKvBlock) + " tokens takes " + std::to_string(page_bytes)};
  }
  return LoadLayers();
}

Result<Gemm> Transformer::LoadGemm(Role role, int64_t layer, int64_t outputs, int64_t inputs,
                                   Part part) const {
  BOOST_OUTCOME_TRY(const auto matrix, weights_.GetMatrix(role, layer, outputs, inputs, part));
  return Gemm(matrix, {}, gemm_options());
}

// What `model quantize --packed` wrote beside the model serves wherever the cache is.
void Transformer::FindPacked() {
  if (options_.pack_cache.empty()) return;
  pack_report_.file = PackCachePath(options_.pack_cache, weights_);
  const std::array files = {pack_report_.file, PackCachePath(FolderOf(weights_), weights_)};
  pack_store_.UseCache(files, PackSourceOf(weights_, info_.sha256));
}

bool Transformer::SetDigest(const std::string& sha256) {
  info_.sha256 = sha256;
  if (!pack_store_.SetContent(ContentDigest(sha256))) return false;
  if (!sha256.empty()) watch_.emplace(weights_, sha256);
  pack_report_.matrices = pack_store_.matrices();
  pack_report_.cached = pack_store_.cached();
  pack_report_.bytes = pack_store_.bytes();
  if (pack_report_.cached > 0) pack_report_.used = pack_store_.cache_file();
  // Where the cache cannot be written, the next start packs.
  const bool wanted = options_.pack_saving == PackSaving::kAlways ||
                      (options_.pack_saving == PackSaving::kWorthwhile &&
                       pack_report_.bytes >= kWorthCaching);
  if (wanted && !pack_report_.file.empty() && pack_report_.cached < pack_report_.matrices) {
    pack_report_.saved = pack_store_.SaveCache(pack_report_.file);
  }
  return true;
}

Result<void> Transformer::CheckIntegrity(const std::stop_token& stop) {
  if (!packed_checked_) {
    if (const auto forged = pack_store_.FindForged(stop)) {
      return Error{Code::kBadFile,
                   "the packed weights in `" + pack_report_.used.string() +
                       "` are not those of the model (first in the matrix at byte " +
                       std::to_string(forged->offset) + " of file " + std::to_string(forged->file) +
                       "): somebody else wrote them. Find out who can write there, then remove the "
                       "file"};
    }
    packed_checked_ = !stop.stop_requested();
  }
  if (!watch_) return boost::outcome_v2::success();
  return watch_->Check();
}

}  // namespace portcullis::inference
