// What an answer may be made of, token by token: the budget of its reasoning, and the grammar that
// its content or its tool calls keep to. A plan says what is wanted and is shared by all choices of
// a request; a guide follows one answer. It advances by Accept alone, with tokens that are part of
// the answer for good, so that drafts which are thrown away never touch it. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inference/sample/grammar/token_mask.h"
#include "inference/tokenizer/tokenizer.h"

namespace portcullis::inference {

struct GuidePlan {
  const Tokenizer* tokenizer = nullptr;  // outlives the plan
  std::shared_ptr<grammar::SharedMasks> masks;

  std::shared_ptr<const grammar::Grammar> answer;  // of all the content; null: free
  // Of a tool call, after the mark that opens it; null: free.
  std::shared_ptr<const grammar::Grammar> call;
  std::vector<std::string> call_marks;
  bool call_from_brace = false;  // an answer that begins with `{` is a call, mark included

  bool thinking_open = false;   // the prompt ended inside <think>
  bool may_think = false;       // the answer may begin with <think>
  int64_t thinking_budget = -1;  // tokens; below 0: no limit
};

class Guide {
 public:
  explicit Guide(std::shared_ptr<const GuidePlan> plan);

  // The only token that may come next, else kNoToken.
  TokenId Forced() const { return forced_.empty() ? kNoToken : forced_.front(); }
  // The tokens that may come next, ends aside; null: all, or too_costly().
  const grammar::TokenMask* Mask();
  // The grammar leaves so many readings open that it cannot be kept to in reasonable time and memory.
  bool too_costly() const { return too_costly_; }
  bool MayEnd() const;
  void Accept(TokenId id);

 private:
  enum class Phase { kStart, kThinking, kFree, kBound };
  struct Run {
    Run(std::shared_ptr<const grammar::Grammar> grammar, grammar::SharedMasks& masks);
    std::shared_ptr<const grammar::Grammar> grammar;
    grammar::Matcher matcher;
    grammar::MaskBuilder builder;
    grammar::SetId at = grammar::kDead;
  };

  void BeginContent(std::string_view text);
  void Think(TokenId id);
  void LookForCall(TokenId id);
  void Bind(const std::shared_ptr<const grammar::Grammar>& grammar, std::string_view text);
  void Advance(TokenId id);
  void Settle(grammar::SetId at);
  std::string_view Shown(TokenId id) const;

  std::shared_ptr<const GuidePlan> plan_;
  TokenId think_open_, think_close_;
  Phase phase_ = Phase::kFree;
  int64_t thought_ = 0;
  std::deque<TokenId> forced_;
  std::string tail_;  // the last bytes of what is free, where marks may lie over token borders
  bool content_began_ = false;
  bool too_costly_ = false;
  std::unique_ptr<Run> run_;  // null in a bound phase: too costly
  std::optional<grammar::TokenMask> first_mask_;
};

}  // namespace portcullis::inference
