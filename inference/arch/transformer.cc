#include "inference/arch/transformer.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <string>
#include <unordered_set>

#include "inference/ops/dequantize.h"
#include "inference/ops/norm.h"
#include "inference/ops/vector.h"

namespace portcullis::inference {
namespace {
// Rows computed at once: enough for full speed, and a bound on scratch memory.
constexpr int64_t kMaxRows = 512;
}  // namespace

Transformer::Transformer(Weights weights, const ModelConfig& config, int threads)
    : weights_(std::move(weights)), config_(config), workers_(threads) {}

Result<void> Transformer::Initialize(ModelInfo info) {
  info_ = std::move(info);
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
  return LoadLayers();
}

Result<Gemm> Transformer::LoadGemm(Role role, int64_t layer, int64_t outputs, int64_t inputs,
                                   Part part) const {
  BOOST_OUTCOME_TRY(const auto matrix, weights_.GetMatrix(role, layer, outputs, inputs, part));
  return Gemm(matrix);
}

int64_t Transformer::SequenceBytes(int64_t capacity_tokens) const {
  return KvCache::Bytes(CacheShape(), std::max<int64_t>(capacity_tokens, 0));
}

Result<std::unique_ptr<Sequence>> Transformer::NewSequence(int64_t capacity_tokens) {
  if (capacity_tokens < 1 || capacity_tokens > config_.context_length) {
    return Error{Code::kContextLength, "a sequence of " + std::to_string(capacity_tokens) +
                                           " tokens was asked for; the model's context has " +
                                           std::to_string(config_.context_length)};
  }
  std::unique_ptr<Sequence> sequence = KvCache::Create(this, CacheShape(), capacity_tokens);
  if (!sequence) {
    return Error{Code::kOutOfMemory, "no memory for the keys and values of " +
                                         std::to_string(capacity_tokens) + " tokens (" +
                                         std::to_string(SequenceBytes(capacity_tokens)) +
                                         " bytes)"};
  }
  return sequence;
}

// Gives the number of logit rows.
Result<int64_t> Transformer::CheckSteps(std::span<const Step> steps) const {
  std::unordered_set<const Sequence*> seen;
  int64_t rows = 0;
  for (const auto& step : steps) {
    const auto* cache = dynamic_cast<const KvCache*>(step.sequence);
    if (cache == nullptr || cache->owner() != this || !seen.insert(step.sequence).second) {
      return Error{Code::kInvalidArgument,
                   "every step needs a sequence of this model, each at most once"};
    }
    if (step.tokens.empty()) return Error{Code::kInvalidArgument, "a step has no tokens"};
    const auto count = static_cast<int64_t>(step.tokens.size());
    if (count > cache->capacity() - cache->length()) {
      return Error{Code::kContextLength, std::to_string(count) + " tokens after " +
                                             std::to_string(cache->length()) +
                                             " exceed the sequence's capacity of " +
                                             std::to_string(cache->capacity())};
    }
    for (const int32_t token : step.tokens) {
      if (token < 0 || token >= config_.vocab_size) {
        return Error{Code::kInvalidArgument, "token " + std::to_string(token) +
                                                 " is not in the vocabulary of " +
                                                 std::to_string(config_.vocab_size)};
      }
    }
    if (step.rows == LogitRows::kLast) rows += 1;
    if (step.rows == LogitRows::kAll) rows += count;
  }
  return rows;
}

Result<void> Transformer::Forward(std::span<const Step> steps, std::span<float> logits) {
  BOOST_OUTCOME_TRY(const int64_t rows, CheckSteps(steps));
  if (static_cast<int64_t>(logits.size()) != rows * config_.vocab_size) {
    return Error{Code::kInvalidArgument, "room for " + std::to_string(logits.size()) +
                                             " logits was given; " + std::to_string(rows) +
                                             " rows of " + std::to_string(config_.vocab_size) +
                                             " are computed"};
  }
  try {
    Batch batch;
    float* out = logits.data();
    for (const auto& step : steps) {
      auto* cache = static_cast<KvCache*>(step.sequence);
      auto left = step.tokens;
      while (!left.empty()) {
        const auto tokens = left.first(
            std::min(left.size(), static_cast<size_t>(kMaxRows - batch.rows)));
        left = left.subspan(tokens.size());
        const auto count = static_cast<int64_t>(tokens.size());
        batch.segments.push_back({cache, batch.rows, count, cache->length()});
        batch.tokens.insert(batch.tokens.end(), tokens.begin(), tokens.end());
        batch.wants_logits.resize(batch.tokens.size(), step.rows == LogitRows::kAll ? 1 : 0);
        if (left.empty() && step.rows == LogitRows::kLast) batch.wants_logits.back() = 1;
        batch.rows += count;
        if (batch.rows == kMaxRows) RunBatch(batch, out);
      }
    }
    if (batch.rows > 0) RunBatch(batch, out);
  } catch (const std::bad_alloc&) {
    return Error{Code::kOutOfMemory, "no memory for the computation"};
  }
  if (!std::ranges::all_of(logits, [](float value) { return std::isfinite(value); })) {
    return Error{Code::kBadTensor, "the logits are not finite: the weights of `" +
                                       info_.path.string() + "` are damaged"};
  }
  return boost::outcome_v2::success();
}

void Transformer::RunBatch(Batch& batch, float*& logits) {
  const int64_t hidden = config_.hidden_size;
  const int64_t pairs = rope_.pairs();
  batch.hidden = hidden_.Get(batch.rows * hidden);
  float* cosines = cosines_.Get(batch.rows * pairs);
  float* sines = sines_.Get(batch.rows * pairs);
  batch.cosines = cosines;
  batch.sines = sines;
  for (int64_t row = 0; row < batch.rows; ++row) {
    DequantizeRow(embedding_.type, embedding_.row(batch.tokens[static_cast<size_t>(row)]), hidden,
                  batch.hidden + row * hidden);
  }
  for (const auto& segment : batch.segments) {
    for (int64_t i = 0; i < segment.tokens; ++i) {
      const int64_t row = segment.row + i;
      rope_.Angles(segment.position + i, cosines + row * pairs, sines + row * pairs);
    }
  }

  RunLayers(batch);

  float* selected = selected_.Get(batch.rows * hidden);
  int64_t count = 0;
  for (int64_t row = 0; row < batch.rows; ++row) {
    if (batch.wants_logits[static_cast<size_t>(row)] == 0) continue;
    RmsNorm(batch.hidden + row * hidden, output_norm_.data(), hidden,
            static_cast<float>(config_.norm_epsilon), selected + count++ * hidden);
  }
  const GemmCall call{&output_, selected, hidden, count, logits, config_.vocab_size};
  if (count > 0) RunGemms(workers_, {&call, 1});
  logits += count * config_.vocab_size;
  for (const auto& segment : batch.segments) segment.cache->Advance(segment.tokens);
  batch = {};
}

void Transformer::Normalize(const Batch& batch, const std::vector<float>& weight, float* out) {
  const int64_t hidden = config_.hidden_size;
  workers_.Run(batch.rows, batch.rows > 8, [&](int64_t row, int) {
    RmsNorm(batch.hidden + row * hidden, weight.data(), hidden,
            static_cast<float>(config_.norm_epsilon), out + row * hidden);
  });
}

void Transformer::AddToHidden(const Batch& batch, const float* addend) {
  AddScaled(1.0f, addend, batch.rows * config_.hidden_size, batch.hidden);
}

void Transformer::Rotate(const Batch& batch, int64_t heads, int64_t head_stride, float* x,
                         int64_t row_stride) {
  workers_.Run(batch.rows, batch.rows > 8, [&](int64_t row, int) {
    rope_.Apply(batch.cosines + row * rope_.pairs(), batch.sines + row * rope_.pairs(), heads,
                head_stride, x + row * row_stride);
  });
}

}  // namespace portcullis::inference
