// A batcher on a model, without threads: requests are added, steps are taken one by one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "inference/schedule/batcher.h"
#include "tests/inference/paged_model.h"
#include "tests/inference/serve_helpers.h"

namespace portcullis::inference {

GenerateRequest MakeRequest(const std::string& tenant, std::vector<TokenId> prompt,
                            int64_t max_tokens);
// `count` letters that depend on `seed`.
std::vector<TokenId> Prompt(size_t count, uint64_t seed);

class Stepper {
 public:
  // With the model's own clock where it has one.
  Stepper(Model& model, SchedulerOptions options, PagedModel* clock = nullptr);
  ~Stepper();

  struct Ticket {
    std::shared_ptr<RecordingSink> sink;
    std::shared_ptr<Cancelling> cancel;
  };
  Ticket Add(GenerateRequest request);
  // Steps until all requests have ended; false after `most` steps.
  bool RunAll(int64_t most = 100'000);
  void Step() { batcher_->Step(); }
  bool idle() const { return batcher_->idle(); }
  SchedulerCounters counters() const { return batcher_->Count(); }
  Batcher& batcher() { return *batcher_; }

  Door door;

 private:
  std::unique_ptr<Tokenizer> tokenizer_ = TestTokenizer("");
  SchedulerOptions options_;
  std::unique_ptr<Batcher> batcher_;
  uint64_t next_ = 0;
};

}  // namespace portcullis::inference
