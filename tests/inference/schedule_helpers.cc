#include "tests/inference/schedule_helpers.h"

#include <gtest/gtest.h>

#include "inference/sample/random.h"

namespace portcullis::inference {

GenerateRequest MakeRequest(const std::string& tenant, std::vector<TokenId> prompt,
                            int64_t max_tokens) {
  GenerateRequest request;
  request.tenant = tenant;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  return request;
}

std::vector<TokenId> Prompt(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<TokenId> tokens;
  for (size_t i = 0; i < count; ++i) {
    tokens.push_back(static_cast<TokenId>('a' + random.Next() % 26));
  }
  return tokens;
}

Stepper::Stepper(Model& model, SchedulerOptions options, PagedModel* clock)
    : door(options.max_waiting), options_(std::move(options)) {
  if (clock != nullptr) options_.clock = [clock] { return clock->now(); };
  batcher_ = std::make_unique<Batcher>(model, *tokenizer_, options_, door);
}

Stepper::~Stepper() { batcher_->FailAll({Code::kShuttingDown, "the test is over"}); }

Stepper::Ticket Stepper::Add(GenerateRequest request) {
  auto sink = std::make_shared<RecordingSink>();
  EXPECT_TRUE(door.Enter(request, 1));
  JobPtr job = MakeJob(std::move(request), sink);
  job->number = next_++;
  job->submitted = options_.clock();
  Ticket ticket{sink, job->cancel};
  batcher_->Add(std::move(job));
  return ticket;
}

bool Stepper::RunAll(int64_t most) {
  for (int64_t i = 0; i < most && !batcher_->idle(); ++i) batcher_->Step();
  return batcher_->idle();
}

}  // namespace portcullis::inference
