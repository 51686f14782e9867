// The multi-token prediction layer as a draft head (DeepSeek-V3, arXiv 2412.19437, section 2.2). Its
// input at position i is a projection of the token after i and of the final hidden state of i, and
// what it predicts is the token two after i. It has keys and values of its own, in the cache's last
// layer. After every forward pass those of the new positions are filled in; they need nothing but
// the layer's input. A draft of several tokens feeds the layer its own hidden states.
// Since drafts are only guesses, a position whose hidden state is gone is left as it is.
#include <algorithm>
#include <new>
#include <unordered_set>

#include "inference/arch/deepseek.h"
#include "inference/ops/dequantize.h"
#include "inference/ops/norm.h"

namespace portcullis::inference {
namespace {

constexpr size_t kMaxDraftRows = 512;  // at once
constexpr int64_t kRecent = 32;        // hidden states kept of a sequence: more than any draft

}  // namespace

void Deepseek::AfterLayers(const Batch& batch) {
  if (!draft_) return;
  const int64_t hidden = config_.hidden_size;
  final_hidden_.resize(static_cast<size_t>(batch.rows * hidden));
  workers_.Run(batch.rows, WorthSpreading(batch.rows), [&](int64_t row, int) {
    RmsNorm(batch.hidden + row * hidden, output_norm().data(), hidden, epsilon(),
            final_hidden_.data() + row * hidden);
  });
  draft_rows_.clear();
  for (const auto& segment : batch.segments) {
    const float* before = segment.sequence->recent().At(segment.position - 1, hidden);
    const int32_t* tokens = batch.tokens.data() + segment.row;
    if (before != nullptr && segment.sequence->Writable(segment.position - 1)) {
      draft_rows_.push_back({segment.sequence, segment.position - 1, before, tokens[0]});
    }
    for (int64_t i = 0; i + 1 < segment.tokens; ++i) {
      draft_rows_.push_back({segment.sequence, segment.position + i,
                             final_hidden_.data() + (segment.row + i) * hidden, tokens[i + 1]});
    }
  }
  for (std::span<const DraftRow> left = draft_rows_; !left.empty();) {
    const auto some = left.first(std::min(left.size(), kMaxDraftRows));
    left = left.subspan(some.size());
    StartDraft(some);
    KeepDraftKeys();
  }
  for (const auto& segment : batch.segments) {
    auto& recent = segment.sequence->recent();
    recent.count = std::min(kRecent, segment.tokens);
    recent.first = segment.position + segment.tokens - recent.count;
    const float* last =
        final_hidden_.data() + (segment.row + segment.tokens - recent.count) * hidden;
    recent.hidden.assign(last, last + recent.count * hidden);
  }
}

// Makes draft_batch_ of the rows, with the layer's input as its hidden states.
void Deepseek::StartDraft(std::span<const DraftRow> rows) {
  const int64_t hidden = config_.hidden_size;
  Batch& batch = draft_batch_;
  batch.rows = static_cast<int64_t>(rows.size());
  // Few rows are bound by memory, whoever wrote their tokens.
  batch.token_rows = batch.rows <= kRecent ? batch.rows : 0;
  batch.segments.clear();
  for (int64_t row = 0; row < batch.rows; ++row) {
    const DraftRow& one = rows[static_cast<size_t>(row)];
    if (!batch.segments.empty()) {
      auto& last = batch.segments.back();
      if (last.sequence == one.sequence && last.position + last.tokens == one.position) {
        ++last.tokens;
        continue;
      }
    }
    batch.segments.push_back({one.sequence, row, 1, one.position});
  }
  float* input = draft_input_.Get(batch.rows * 2 * hidden);
  batch.hidden = draft_hidden_.Get(batch.rows * hidden);
  batch.addend = nullptr;
  workers_.Run(batch.rows, WorthSpreading(batch.rows), [&](int64_t row, int) {
    const DraftRow& one = rows[static_cast<size_t>(row)];
    float* both = input + row * 2 * hidden;
    DequantizePart(draft_->embedding, one.next, 0, hidden, both);
    RmsNorm(both, draft_->embedding_norm.data(), hidden, epsilon(), both);
    RmsNorm(one.hidden, draft_->hidden_norm.data(), hidden, epsilon(), both + hidden);
  });
  const GemmCall call{&draft_->projection, input,  2 * hidden,      batch.rows,
                      batch.hidden,        hidden, batch.token_rows};
  RunGemms(workers_, {&call, 1});
  SetAngles(batch, draft_cosines_, draft_sines_);
}

void Deepseek::KeepDraftKeys() {
  Batch& batch = draft_batch_;
  const int64_t hidden = config_.hidden_size;
  const int64_t latent_size = config_.mla.kv_lora_rank + config_.mla.rope_dimensions;
  float* normed = normed_.Get(batch.rows * hidden);
  float* kv = kv_.Get(batch.rows * latent_size);
  Normalize(batch, draft_->layer.attention_norm, normed);
  const GemmCall call{&draft_->layer.kv_down, normed,      hidden,          batch.rows,
                      kv,                     latent_size, batch.token_rows};
  RunGemms(workers_, {&call, 1});
  FinishLatents(batch, draft_->layer, kv);
  Store(batch, config_.layers, kv, nullptr);
}

Result<void> Deepseek::Propose(std::span<DraftStep> steps) {
  if (!draft_) return Transformer::Propose(steps);
  std::unordered_set<const Sequence*> seen;
  for (const auto& step : steps) {
    if (Own(step.sequence) == nullptr || !seen.insert(step.sequence).second || step.last < 0 ||
        step.last >= config_.vocab_size) {
      return Error{Code::kInvalidArgument,
                   "every draft needs a sequence of this model, each at most once, and a token of "
                   "its vocabulary"};
    }
  }
  try {
    ProposeFor(steps);
  } catch (const std::bad_alloc&) {
    return Error{Code::kOutOfMemory, "no memory for the computation"};
  }
  return boost::outcome_v2::success();
}

void Deepseek::ProposeFor(std::span<DraftStep> steps) {
  const int64_t hidden = config_.hidden_size;
  const int64_t vocab = config_.vocab_size;
  std::vector<DraftStep*> active;
  std::vector<const float*> states;
  for (auto& step : steps) {
    auto* sequence = Own(step.sequence);
    step.tokens.clear();
    const float* state = sequence->recent().At(sequence->length() - 1, hidden);
    if (state == nullptr || step.count < 1) continue;
    active.push_back(&step);
    states.push_back(state);
  }
  while (!active.empty()) {
    draft_rows_.clear();
    size_t kept = 0;
    for (size_t i = 0; i < active.size(); ++i) {
      DraftStep& step = *active[i];
      auto* sequence = Own(step.sequence);
      const auto drafted = static_cast<int64_t>(step.tokens.size());
      const int64_t position = sequence->length() - 1 + drafted;
      if (drafted >= step.count || !sequence->Writable(position) ||
          position >= config_.context_length) {
        continue;
      }
      draft_rows_.push_back(
          {sequence, position, states[i], drafted == 0 ? step.last : step.tokens.back()});
      active[kept++] = &step;
    }
    active.resize(kept);
    if (kept == 0) return;
    StartDraft(draft_rows_);
    RunLayer(draft_batch_, draft_->layer, config_.layers);
    float* final_states = normed_.Get(draft_batch_.rows * hidden);
    Normalize(draft_batch_, draft_->norm, final_states);
    float* logits = draft_logits_.Get(draft_batch_.rows * vocab);
    const GemmCall call{draft_->output ? draft_->output.get() : &output(),
                        final_states, hidden, draft_batch_.rows, logits, vocab,
                        draft_batch_.rows};
    RunGemms(workers_, {&call, 1});
    final_hidden_.assign(final_states, final_states + draft_batch_.rows * hidden);
    states.resize(kept);
    for (size_t i = 0; i < kept; ++i) {
      const float* row = logits + static_cast<int64_t>(i) * vocab;
      active[i]->tokens.push_back(static_cast<int32_t>(std::max_element(row, row + vocab) - row));
      states[i] = final_hidden_.data() + static_cast<int64_t>(i) * hidden;
    }
  }
}

}  // namespace portcullis::inference
