// A model that computes hashes instead of numbers, for tests of the scheduler: the logits after a
// position depend on every token before it and on the role it was computed in, so that a wrong
// page, a lost token, a write into a shared page or a swapped role changes the text. Pages are
// counted as the real pool counts them. Time is the model's own: it moves when a step is computed.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "inference/arch/model.h"
#include "tests/inference/serve_helpers.h"

namespace portcullis::inference {

class PagedModel final : public Model {
 public:
  struct Options {
    int64_t pages = 1 << 20;
    int64_t page_tokens = 4;
    int64_t context = 4096;
    bool repetitive = false;  // the text mostly follows from its last two tokens, and soon repeats
    bool draft_head = false;  // right three times of four
  };
  explicit PagedModel(const Options& options);

  const ModelInfo& info() const override { return info_; }
  const gguf::File* gguf() const override { return nullptr; }
  Result<std::unique_ptr<Sequence>> NewSequence(int64_t capacity_tokens) override;
  int64_t SequenceBytes(int64_t tokens) const override;
  int64_t page_tokens() const override { return options_.page_tokens; }
  int64_t PageBytes() const override { return options_.page_tokens; }
  int64_t free_pages() const override { return options_.pages - used_; }
  int64_t total_pages() const override { return options_.pages; }
  bool has_draft_head() const override { return options_.draft_head; }
  Result<void> Propose(std::span<DraftStep> steps) override;
  Result<void> Forward(std::span<const Step> steps, std::span<float> logits) override;

  std::chrono::steady_clock::time_point now() const { return now_; }
  void Wait(std::chrono::microseconds time) { now_ += time; }

  // Called before each step.
  std::function<void(std::span<const Step>)> before_step;
  // What was wrong with a call, if anything was.
  std::string complaint;
  int64_t most_pages = 0;
  int64_t live_sequences = 0;
  int64_t token_rows = 0, prompt_rows = 0;  // of all steps
  std::chrono::microseconds step_time{2000}, token_time{100}, prompt_time{500};

 private:
  class PagedSequence;
  struct Page;
  void Logits(const PagedSequence& sequence, int64_t position, std::span<float> logits) const;

  Options options_;
  ModelInfo info_;
  int64_t used_ = 0;
  std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};
};

}  // namespace portcullis::inference
