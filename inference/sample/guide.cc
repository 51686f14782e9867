#include "inference/sample/guide.h"

#include <algorithm>
#include <utility>

namespace portcullis::inference {
namespace {

constexpr std::string_view kThinkClose = "</think>";
constexpr size_t kTail = 96;
constexpr size_t kMaxBytes = 6 << 20;         // of positions, an answer
constexpr uint64_t kMostWork = 1'000'000;  // a token

}  // namespace

Guide::Run::Run(std::shared_ptr<const grammar::Grammar> g, grammar::SharedMasks& masks)
    : grammar(std::move(g)), matcher(*grammar), builder(*grammar, matcher, masks) {
  matcher.Allow(kMostWork);
  at = matcher.Start();
}

Guide::Guide(std::shared_ptr<const GuidePlan> plan)
    : plan_(std::move(plan)),
      think_open_(plan_->tokenizer->Control("<think>")),
      think_close_(plan_->tokenizer->Control(kThinkClose)) {
  if (plan_->thinking_open) {
    phase_ = Phase::kThinking;
    if (plan_->thinking_budget == 0) Think(kNoToken);
  } else {
    BeginContent("");
    if (plan_->may_think && think_open_ != kNoToken && plan_->thinking_budget != 0 && phase_ == Phase::kBound) {
      phase_ = Phase::kStart;
    }
  }
}

std::string_view Guide::Shown(TokenId id) const {
  return plan_->tokenizer->vocab().Has(id) ? plan_->tokenizer->vocab().Bytes(id) : std::string_view();
}

const grammar::TokenMask* Guide::Mask() {
  if (phase_ != Phase::kStart && phase_ != Phase::kBound) return nullptr;
  const grammar::TokenMask* mask = run_ ? run_->builder.MaskOf(run_->at) : nullptr;
  too_costly_ = mask == nullptr;
  if (!too_costly_ && run_->matcher.bytes() > kMaxBytes) {
    first_mask_ = *mask;
    Settle(run_->at);
    mask = &*first_mask_;
  }
  if (too_costly_ || phase_ == Phase::kBound) return mask;
  if (!first_mask_ || mask != &*first_mask_) first_mask_ = *mask;
  first_mask_->Set(think_open_);
  return &*first_mask_;
}

bool Guide::MayEnd() const {
  if (phase_ == Phase::kStart || phase_ == Phase::kThinking) return plan_->answer == nullptr;
  if (phase_ == Phase::kFree) return true;
  return run_ && run_->matcher.Ends(run_->at);
}

void Guide::Accept(TokenId id) {
  if (!forced_.empty() && forced_.front() == id) forced_.pop_front();
  switch (phase_) {
    case Phase::kStart:
      phase_ = id == think_open_ ? Phase::kThinking : Phase::kBound;
      if (phase_ == Phase::kBound) Advance(id);
      break;
    case Phase::kThinking:
      Think(id);
      break;
    case Phase::kFree:
      LookForCall(id);
      break;
    case Phase::kBound:
      Advance(id);
      break;
  }
}

void Guide::Think(TokenId id) {
  if (id != kNoToken) {
    ++thought_;
    tail_ += Shown(id);
    const size_t close = tail_.rfind(kThinkClose);
    if ((think_close_ != kNoToken && id == think_close_) || close != std::string::npos) {
      const std::string rest = close == std::string::npos ? "" : tail_.substr(close + kThinkClose.size());
      forced_.clear();
      BeginContent(rest);
      return;
    }
    if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
  }
  if (plan_->thinking_budget < 0 || thought_ < plan_->thinking_budget || !forced_.empty()) return;
  if (think_close_ != kNoToken) {
    forced_.push_back(think_close_);
    return;
  }
  std::vector<TokenId> ids;
  const bool encoded = plan_->tokenizer->Encode(kThinkClose, Specials::kAsText, ids, false).has_value();
  if (encoded) forced_.assign(ids.begin(), ids.end());
}

void Guide::BeginContent(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  tail_ = text;
  if (plan_->answer) {
    Bind(plan_->answer, text);
  } else {
    phase_ = Phase::kFree;
  }
}

void Guide::LookForCall(TokenId id) {
  if (think_open_ != kNoToken && id == think_open_ && !content_began_) {
    phase_ = Phase::kThinking;
    return;
  }
  if (!plan_->call) return;
  tail_ += Shown(id);
  if (!content_began_ && tail_.find_first_not_of(" \t\r\n") != std::string::npos) {
    content_began_ = true;
    if (plan_->call_from_brace) {
      const size_t brace = tail_.find_first_not_of(" \t\r\n");
      if (tail_[brace] == '{') return Bind(plan_->call, std::string(tail_).substr(brace));
    }
  }
  for (const std::string& mark : plan_->call_marks) {
    const size_t at = tail_.rfind(mark);
    if (at != std::string::npos) return Bind(plan_->call, std::string(tail_).substr(at + mark.size()));
  }
  if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
}

// `text` stands already. Where it breaks the grammar of a call, that is none; an answer that broke its
// own gets no token more.
void Guide::Bind(const std::shared_ptr<const grammar::Grammar>& grammar, std::string_view text) {
  auto run = std::make_unique<Run>(grammar, *plan_->masks);
  const grammar::SetId at = run->matcher.Walk(run->at, text);
  phase_ = Phase::kFree;
  tail_.clear();
  if (at == grammar::kDead && !run->matcher.overran() && grammar != plan_->answer) return;
  run_ = std::move(run);
  phase_ = Phase::kBound;
  Settle(at);
}

void Guide::Advance(TokenId id) {
  if (!run_) return;
  const Vocab& vocab = plan_->tokenizer->vocab();
  const bool control = vocab.Has(id) && vocab.IsControl(id);
  grammar::Matcher& matcher = run_->matcher;
  matcher.Allow(kMostWork);
  const grammar::SetId at = control ? matcher.StepToken(run_->at, id) : matcher.Walk(run_->at, Shown(id));
  if (matcher.overran() || (at == grammar::kDead && run_->grammar == plan_->answer)) return Settle(at);
  const bool over = at == grammar::kDead ||
                    (!matcher.HasMore(at) && run_->grammar == plan_->call && !plan_->answer);
  if (!over) return Settle(at);
  phase_ = Phase::kFree;
  run_.reset();
}

// The answer stands at `at`. Where that costs too much to know there is no run any more, and as the
// phase stays bound, nothing that may come next.
void Guide::Settle(grammar::SetId at) {
  if (at == grammar::kDead) return run_.reset();
  grammar::Matcher& matcher = run_->matcher;
  run_->at = at;
  if (!matcher.overran() && matcher.bytes() > kMaxBytes) {
    run_->at = matcher.Renew(at);
    run_->builder.Forget();
  }
  if (matcher.overran() || matcher.bytes() > kMaxBytes) run_.reset();
}

}  // namespace portcullis::inference
