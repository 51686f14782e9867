#include "tests/inference/paged_model.h"

#include <algorithm>

namespace portcullis::inference {
namespace {

uint64_t Mix(uint64_t a, uint64_t b) {
  uint64_t z = a * 0x9E3779B97F4A7C15u + b + 0x632BE59BD9B4E019u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

}  // namespace

struct PagedModel::Page {
  explicit Page(PagedModel& owner) : model(owner) {
    ++model.used_;
    model.most_pages = std::max(model.most_pages, model.used_);
  }
  Page(const Page& other) : Page(other.model) { states = other.states, tokens = other.tokens; }
  ~Page() { --model.used_; }
  PagedModel& model;
  std::vector<uint64_t> states;  // of each position: stands for all before it
  std::vector<int32_t> tokens;
};

class PagedModel::PagedSequence final : public Sequence {
 public:
  explicit PagedSequence(PagedModel& model) : model_(model) { ++model_.live_sequences; }
  ~PagedSequence() override { --model_.live_sequences; }

  int64_t length() const override { return length_; }
  int64_t capacity() const override {
    return static_cast<int64_t>(pages_.size()) * model_.page_tokens();
  }
  void Truncate(int64_t length) override {
    if (length >= length_) return;
    length_ = length;
    pages_.resize(static_cast<size_t>((length + model_.page_tokens() - 1) / model_.page_tokens()));
  }
  bool Reserve(int64_t tokens) override {
    if (tokens > model_.info().context_length) return false;
    const int64_t missing =
        (tokens - capacity() + model_.page_tokens() - 1) / model_.page_tokens();
    if (missing > model_.free_pages()) return false;
    for (int64_t i = 0; i < missing; ++i) pages_.push_back(std::make_shared<Page>(model_));
    return true;
  }
  bool Adopt(const Sequence& other, int64_t tokens) override {
    const auto& from = static_cast<const PagedSequence&>(other);
    if (length_ != 0 || tokens < 1 || tokens > from.length_) return false;
    const bool partial = tokens % model_.page_tokens() != 0;
    if (partial && model_.free_pages() < 1) return false;
    const auto whole = static_cast<size_t>(tokens / model_.page_tokens());
    pages_.assign(from.pages_.begin(), from.pages_.begin() + static_cast<ptrdiff_t>(whole));
    if (partial) pages_.push_back(std::make_shared<Page>(*from.pages_[whole]));
    length_ = tokens;
    return true;
  }

  void Append(int32_t token, TokenRole role) {
    if (length_ >= capacity()) {
      model_.complaint = "a step has no room";
      return;
    }
    const uint64_t before = length_ == 0 ? 1 : State(length_ - 1);
    Page& page = *pages_[static_cast<size_t>(length_ / model_.page_tokens())];
    const auto at = static_cast<size_t>(length_ % model_.page_tokens());
    if (pages_[static_cast<size_t>(length_ / model_.page_tokens())].use_count() > 1) {
      model_.complaint = "a shared page was written";
    }
    page.states.resize(at);
    page.tokens.resize(at);
    const bool prompt = role == TokenRole::kPrompt;
    page.states.push_back(Mix(before, Mix(static_cast<uint64_t>(token), prompt)));
    page.tokens.push_back(token);
    ++length_;
  }
  uint64_t State(int64_t position) const {
    return At(position).states[static_cast<size_t>(position % model_.page_tokens())];
  }
  int32_t Token(int64_t position) const {
    return position < 0 ? 0
                        : At(position).tokens[static_cast<size_t>(position % model_.page_tokens())];
  }

 private:
  const Page& At(int64_t position) const {
    return *pages_[static_cast<size_t>(position / model_.page_tokens())];
  }

  PagedModel& model_;
  int64_t length_ = 0;
  std::vector<std::shared_ptr<Page>> pages_;
};

PagedModel::PagedModel(const Options& options) : options_(options) {
  info_.architecture = "paged";
  info_.name = "paged";
  info_.vocab_size = kTestVocab;
  info_.hidden_size = 2;
  info_.context_length = options.context;
}

Result<std::unique_ptr<Sequence>> PagedModel::NewSequence(int64_t capacity_tokens) {
  std::unique_ptr<Sequence> sequence = std::make_unique<PagedSequence>(*this);
  if (!sequence->Reserve(capacity_tokens)) return Error{Code::kOutOfMemory, "no page is free"};
  return sequence;
}

int64_t PagedModel::SequenceBytes(int64_t tokens) const {
  return (tokens + options_.page_tokens - 1) / options_.page_tokens * PageBytes();
}

void PagedModel::Logits(const PagedSequence& sequence, int64_t position,
                        std::span<float> logits) const {
  uint64_t state = sequence.State(position);
  if (options_.repetitive && state % 16 != 0) {
    state = Mix(static_cast<uint64_t>(sequence.Token(position) % 8),
                static_cast<uint64_t>(sequence.Token(position - 1) % 4));
  }
  for (size_t i = 0; i < logits.size(); ++i) {
    logits[i] = static_cast<float>(Mix(state, i) % 4096) / 1024.0f;
    // In a repetitive text few words follow one another.
    if (options_.repetitive) logits[i] = logits[i] > 3.9f ? logits[i] * 4 : logits[i];
  }
  for (size_t id = kBos; id < static_cast<size_t>(kTestVocab); ++id) logits[id] = -20.0f;
  if (state % 97 == 0) logits[kEos] = 20.0f;
}

Result<void> PagedModel::Propose(std::span<DraftStep> steps) {
  std::vector<float> logits(static_cast<size_t>(kTestVocab));
  for (DraftStep& step : steps) {
    auto& sequence = static_cast<PagedSequence&>(*step.sequence);
    const int64_t length = sequence.length();
    int32_t last = step.last;
    while (static_cast<int64_t>(step.tokens.size()) < step.count &&
           sequence.Reserve(sequence.length() + 1)) {
      sequence.Append(last, TokenRole::kGenerated);
      Logits(sequence, sequence.length() - 1, logits);
      last = static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
      if (sequence.State(sequence.length() - 1) % 4 == 1) last = 'x';
      step.tokens.push_back(last);
    }
    sequence.Truncate(length);
  }
  return boost::outcome_v2::success();
}

Result<void> PagedModel::Forward(std::span<const Step> steps, std::span<float> logits) {
  if (before_step) before_step(steps);
  now_ += step_time;
  for (const Step& step : steps) {
    auto& sequence = static_cast<PagedSequence&>(*step.sequence);
    const auto count = static_cast<int64_t>(step.tokens.size());
    const bool prompt = step.role == TokenRole::kPrompt;
    (prompt ? prompt_rows : token_rows) += count;
    now_ += count * (prompt ? prompt_time : token_time);
    for (const int32_t token : step.tokens) {
      sequence.Append(token, step.role);
      if (!complaint.empty()) return Error{Code::kInternal, complaint};
      if (!step.embedding.empty() && step.pooling == Pooling::kSum) {
        step.embedding[0] += static_cast<float>(token);
      }
    }
    if (!step.embedding.empty() && step.pooling == Pooling::kLast) {
      step.embedding[0] = static_cast<float>(step.tokens.back());
    }
    const int64_t rows = step.rows == LogitRows::kAll ? count : step.rows == LogitRows::kLast;
    for (int64_t row = sequence.length() - rows; row < sequence.length(); ++row) {
      Logits(sequence, row, logits.first(static_cast<size_t>(kTestVocab)));
      logits = logits.subspan(static_cast<size_t>(kTestVocab));
    }
  }
  if (!logits.empty()) complaint = "room for more logits than rows";
  if (used_ > options_.pages) complaint = "more pages are used than there are";
  return complaint.empty() ? Result<void>(boost::outcome_v2::success())
                           : Result<void>(Error{Code::kInternal, complaint});
}

}  // namespace portcullis::inference
