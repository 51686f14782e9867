#include "inference/arch/transformer.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <string>

#include "inference/ops/dequantize.h"
#include "inference/ops/norm.h"
#include "inference/ops/vector.h"

namespace portcullis::inference {
namespace {
// Rows computed at once: enough for full speed, and a bound on scratch memory.
constexpr int64_t kMaxRows = 512;

int64_t LogitRowsOf(const Step& step) {
  if (step.rows == LogitRows::kNone) return 0;
  return step.rows == LogitRows::kLast ? 1 : static_cast<int64_t>(step.tokens.size());
}

}  // namespace

Transformer::Transformer(Weights weights, const ModelConfig& config, const LoadOptions& options)
    : weights_(std::move(weights)), config_(config), options_(options), workers_(options.threads) {}

int64_t Transformer::SequenceBytes(int64_t capacity_tokens) const {
  const int64_t tokens = std::clamp<int64_t>(capacity_tokens, 0, config_.context_length);
  return (tokens + kKvBlock - 1) / kKvBlock * pool_.page_bytes();
}

Result<std::unique_ptr<Sequence>> Transformer::NewSequence(int64_t capacity_tokens) {
  if (capacity_tokens < 0 || capacity_tokens > config_.context_length) {
    return Error{Code::kContextLength, "a sequence of " + std::to_string(capacity_tokens) +
                                           " tokens was asked for; the model's context has " +
                                           std::to_string(config_.context_length)};
  }
  std::unique_ptr<Sequence> sequence =
      std::make_unique<KvSequence>(this, pool_, config_.context_length);
  if (!sequence->Reserve(capacity_tokens)) {
    return Error{Code::kOutOfMemory, "no memory for the keys and values of " +
                                         std::to_string(capacity_tokens) + " tokens (" +
                                         std::to_string(SequenceBytes(capacity_tokens)) +
                                         " bytes)"};
  }
  return sequence;
}

KvSequence* Transformer::Own(Sequence* sequence) const {
  auto* own = dynamic_cast<KvSequence*>(sequence);
  return own != nullptr && own->owner() == this ? own : nullptr;
}

// Gives the number of logit rows.
Result<int64_t> Transformer::CheckSteps(std::span<const Step> steps) {
  int64_t rows = 0;
  stepping_.clear();
  for (const auto& step : steps) stepping_.push_back(step.sequence);
  std::ranges::sort(stepping_);
  const bool twice = std::ranges::adjacent_find(stepping_) != stepping_.end();
  for (const auto& step : steps) {
    const auto* sequence = Own(step.sequence);
    if (sequence == nullptr || twice) {
      return Error{Code::kInvalidArgument,
                   "every step needs a sequence of this model, each at most once"};
    }
    if (step.tokens.empty()) return Error{Code::kInvalidArgument, "a step has no tokens"};
    const auto count = static_cast<int64_t>(step.tokens.size());
    if (count > sequence->capacity() - sequence->length()) {
      return Error{Code::kContextLength, std::to_string(count) + " tokens after " +
                                             std::to_string(sequence->length()) +
                                             " exceed the sequence's capacity of " +
                                             std::to_string(sequence->capacity())};
    }
    for (const int32_t token : step.tokens) {
      if (token < 0 || token >= config_.vocab_size) {
        return Error{Code::kInvalidArgument, "token " + std::to_string(token) +
                                                 " is not in the vocabulary of " +
                                                 std::to_string(config_.vocab_size)};
      }
    }
    if (!step.embedding.empty() &&
        static_cast<int64_t>(step.embedding.size()) != config_.hidden_size) {
      return Error{Code::kInvalidArgument, "an embedding has " +
                                               std::to_string(config_.hidden_size) + " values"};
    }
    rows += LogitRowsOf(step);
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
  for (const auto& step : steps) {
    if (!static_cast<KvSequence*>(step.sequence)->MakeWritable()) {
      return Error{Code::kOutOfMemory, "no page is free for the copy of a shared one"};
    }
  }
  try {
    batch_.Clear();
    for (const auto role : {TokenRole::kGenerated, TokenRole::kPrompt}) {
      int64_t logit_row = 0;
      for (const auto& step : steps) {
        if (step.role == role) AddToBatch(step, logit_row, logits);
        logit_row += LogitRowsOf(step);
      }
    }
    if (batch_.rows > 0) RunBatch(logits);
  } catch (const std::bad_alloc&) {
    return Error{Code::kOutOfMemory, "no memory for the computation"};
  }
  if (!AllFinite(steps, logits)) {
    return Error{Code::kBadTensor, "the logits are not finite: the weights of `" +
                                       info_.path.string() + "` are damaged"};
  }
  return boost::outcome_v2::success();
}

Result<void> Transformer::Propose(std::span<DraftStep>) {
  return Error{Code::kUnsupported, "this model has no draft head"};
}

void Transformer::AddToBatch(const Step& step, int64_t logit_row, std::span<float> logits) {
  auto* sequence = static_cast<KvSequence*>(step.sequence);
  auto left = step.tokens;
  while (!left.empty()) {
    const auto tokens =
        left.first(std::min(left.size(), static_cast<size_t>(kMaxRows - batch_.rows)));
    left = left.subspan(tokens.size());
    const auto count = static_cast<int64_t>(tokens.size());
    batch_.segments.push_back({sequence, batch_.rows, count, sequence->length()});
    for (size_t i = 0; i < tokens.size(); ++i) {
      const bool last = left.empty() && i + 1 == tokens.size();
      const bool wanted =
          step.rows == LogitRows::kAll || (last && step.rows == LogitRows::kLast);
      const bool pooled = !step.embedding.empty() && (last || step.pooling == Pooling::kSum);
      batch_.tokens.push_back(tokens[i]);
      batch_.logit_rows.push_back(wanted ? logit_row++ : -1);
      batch_.pooled.push_back(pooled ? &step : nullptr);
    }
    batch_.rows += count;
    if (step.role == TokenRole::kGenerated) batch_.token_rows += count;
    if (batch_.rows == kMaxRows) RunBatch(logits);
  }
}

void Transformer::RunBatch(std::span<float> logits) {
  const int64_t hidden = config_.hidden_size;
  batch_.hidden = hidden_.Get(batch_.rows * hidden);
  batch_.addend = nullptr;
  workers_.Run(batch_.rows, WorthSpreading(batch_.rows), [&](int64_t row, int) {
    const int64_t token = batch_.tokens[static_cast<size_t>(row)];
    DequantizePart(embedding_, token, 0, hidden, batch_.hidden + row * hidden);
  });
  SetAngles(batch_, cosines_, sines_);
  RunLayers(batch_);
  AddPending(batch_);
  AfterLayers(batch_);
  ComputeLogits(logits);
  for (int64_t row = 0; row < batch_.rows; ++row) {
    const Step* step = batch_.pooled[static_cast<size_t>(row)];
    if (step != nullptr) Pool(row, *step);
  }
  for (const auto& segment : batch_.segments) segment.sequence->Advance(segment.tokens);
  batch_.Clear();
}

// The rows that are wanted have adjacent rows in `logits`, or those of a mixed batch in another
// order than theirs, and are then copied there.
void Transformer::ComputeLogits(std::span<float> logits) {
  const int64_t hidden = config_.hidden_size;
  const int64_t vocab = config_.vocab_size;
  float* selected = selected_.Get(batch_.rows * hidden);
  int64_t count = 0;
  int64_t first = -1;
  bool adjacent = true;
  for (int64_t row = 0; row < batch_.rows; ++row) {
    const int64_t place = batch_.logit_rows[static_cast<size_t>(row)];
    if (place < 0) continue;
    if (first < 0) first = place;
    adjacent = adjacent && place == first + count;
    RmsNorm(batch_.hidden + row * hidden, output_norm_.data(), hidden,
            epsilon(), selected + count++ * hidden);
  }
  if (count == 0) return;
  float* out = adjacent ? logits.data() + first * vocab : selected_logits_.Get(count * vocab);
  // Whatever their step's role, these rows are few.
  const GemmCall call{&output_, selected, hidden, count, out, vocab, count};
  RunGemms(workers_, {&call, 1});
  if (adjacent) return;
  for (const int64_t place : batch_.logit_rows) {
    if (place < 0) continue;
    std::copy_n(out, vocab, logits.data() + place * vocab);
    out += vocab;
  }
}

void Transformer::Pool(int64_t row, const Step& step) {
  const int64_t hidden = config_.hidden_size;
  float* normed = selected_.Get(hidden);
  RmsNorm(batch_.hidden + row * hidden, output_norm_.data(), hidden,
          epsilon(), normed);
  if (step.pooling == Pooling::kLast) {
    std::copy_n(normed, hidden, step.embedding.data());
  } else {
    AddScaled(1.0f, normed, hidden, step.embedding.data());
  }
}

bool Transformer::AllFinite(std::span<const Step> steps, std::span<const float> logits) {
  const auto finite = [](std::span<const float> values) {
    // 0 · x is 0 for every number, and this sum is vectorised.
    float sum = 0;
    for (const float value : values) sum += 0.0f * value;
    return sum == 0.0f;
  };
  std::atomic<bool> all{true};
  const auto vocab = static_cast<size_t>(config_.vocab_size);
  workers_.Run(static_cast<int64_t>(logits.size() / vocab), logits.size() > (1 << 16),
               [&](int64_t row, int) {
                 if (!finite(logits.subspan(static_cast<size_t>(row) * vocab, vocab))) all = false;
               });
  for (const auto& step : steps) {
    if (!finite(step.embedding)) all = false;
  }
  return all;
}

void Transformer::Normalize(Batch& batch, const std::vector<float>& weight, float* out) {
  const int64_t hidden = config_.hidden_size;
  workers_.Run(batch.rows, WorthSpreading(batch.rows), [&](int64_t row, int) {
    float* x = batch.hidden + row * hidden;
    if (batch.addend != nullptr) {
      AddRmsNorm(x, batch.addend + row * hidden, weight.data(), hidden, epsilon(),
                 out + row * hidden);
    } else {
      RmsNorm(x, weight.data(), hidden, epsilon(), out + row * hidden);
    }
  });
  batch.addend = nullptr;
}

void Transformer::AddPending(Batch& batch) {
  if (batch.addend == nullptr) return;
  const int64_t hidden = config_.hidden_size;
  workers_.Run(batch.rows, WorthSpreading(batch.rows), [&](int64_t row, int) {
    AddScaled(1.0f, batch.addend + row * hidden, hidden, batch.hidden + row * hidden);
  });
  batch.addend = nullptr;
}

void Transformer::SetAngles(Batch& batch, Buffer& cosines, Buffer& sines) {
  const int64_t pairs = rope_.pairs();
  float* cosine = cosines.Get(batch.rows * pairs);
  float* sine = sines.Get(batch.rows * pairs);
  batch.cosines = cosine;
  batch.sines = sine;
  for (const auto& segment : batch.segments) {
    for (int64_t i = 0; i < segment.tokens; ++i) {
      const int64_t row = segment.row + i;
      rope_.Angles(segment.position + i, cosine + row * pairs, sine + row * pairs);
    }
  }
}

void Transformer::RotateRow(const Batch& batch, int64_t row, int64_t heads, int64_t head_stride,
                            float* x) const {
  rope_.Apply(batch.cosines + row * rope_.pairs(), batch.sines + row * rope_.pairs(), heads,
              head_stride, x);
}

void Transformer::Store(const Batch& batch, int64_t layer, const float* keys,
                        const float* values) {
  const int64_t offset = layer * LayerBytes(kv_shape_);
  const int64_t key_row = kv_shape_.heads * kv_shape_.key_size;
  const int64_t value_row = kv_shape_.heads * kv_shape_.value_size;
  store_tasks_.clear();
  for (const auto& segment : batch.segments) {
    for (int64_t done = 0; done < segment.tokens;) {
      const int64_t position = segment.position + done;
      const int64_t slot = position % kKvBlock;
      const int64_t count = std::min(kKvBlock - slot, segment.tokens - done);
      store_tasks_.push_back({segment.sequence->blocks()[position / kKvBlock] + offset, slot,
                              segment.row + done, count});
      done += count;
    }
  }
  // A block is one thread's alone: segments are of different sequences.
  workers_.Run(static_cast<int64_t>(store_tasks_.size()), WorthSpreading(batch.rows),
               [&](int64_t index, int) {
                 const StoreTask& task = store_tasks_[static_cast<size_t>(index)];
                 const float* value = values == nullptr ? nullptr : values + task.row * value_row;
                 StoreKv(kv_shape_, task.block, task.slot, task.count, keys + task.row * key_row,
                         key_row, value, value_row);
               });
}

void Transformer::Attend(const Batch& batch, int64_t layer, const float* queries,
                         const float* keys, const float* values, float* out) {
  Store(batch, layer, keys, values);
  attention_calls_.clear();
  for (const auto& segment : batch.segments) {
    attention_calls_.push_back({queries + segment.row * config_.heads * kv_shape_.key_size,
                                segment.tokens, segment.position, segment.sequence->blocks(),
                                out + segment.row * config_.heads * kv_shape_.value_size});
  }
  attention_.Run(workers_,
                 {config_.heads, static_cast<float>(config_.softmax_scale), kv_shape_,
                  layer * LayerBytes(kv_shape_)},
                 attention_calls_);
}

}  // namespace portcullis::inference
