// Helpers of the serving tests: a byte-level tokenizer with DeepSeek's and ChatML's marks, and a
// model that computes nothing but writes a given script, so that every answer is known beforehand.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "inference/arch/model.h"
#include "inference/schedule/request.h"
#include "inference/tokenizer/tokenizer.h"

namespace portcullis::inference {

// Ids 0 to 255 are the bytes; then "he" 256, "llo" parts and the marks below.
inline constexpr TokenId kHe = 256;
inline constexpr TokenId kLl = 257;
inline constexpr TokenId kHell = 258;
inline constexpr TokenId kHello = 259;
inline constexpr TokenId kBos = 260;
inline constexpr TokenId kEos = 261;
inline constexpr TokenId kUserMark = 262;
inline constexpr TokenId kAssistantMark = 263;
inline constexpr TokenId kThinkOpen = 264;
inline constexpr TokenId kThinkClose = 265;
inline constexpr TokenId kImStart = 266;
inline constexpr TokenId kImEnd = 267;
inline constexpr TokenId kTestVocab = 268;

inline constexpr const char* kR1Template =
    "{% set ns = namespace(system='') %}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{% set ns.system = (ns.system + '\n\n' if ns.system "
    "else '') + message['content'] %}{% endif %}{% endfor %}{{ bos_token }}{{ ns.system }}"
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{'<｜User｜>' + message['content']}}{% elif message['role'] == 'assistant' %}"
    "{% set content = message['content'] %}"
    "{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}"
    "{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{'<｜Assistant｜><think>\n'}}{% endif %}";

std::string TestTokenizerJson();
std::unique_ptr<Tokenizer> TestTokenizer(const std::string& chat_template);

// The ids of `text` as bytes, without merges.
std::vector<TokenId> Bytes(const std::string& text);

class ScriptedModel final : public Model {
 public:
  explicit ScriptedModel(std::vector<TokenId> script, int64_t context = 4096);

  const ModelInfo& info() const override { return info_; }
  const gguf::File* gguf() const override { return nullptr; }
  Result<std::unique_ptr<Sequence>> NewSequence(int64_t capacity_tokens) override;
  int64_t SequenceBytes(int64_t capacity_tokens) const override { return capacity_tokens; }
  int64_t page_tokens() const override { return 1; }
  int64_t PageBytes() const override { return 1; }
  int64_t free_pages() const override { return budget - live_bytes; }
  int64_t total_pages() const override { return budget; }
  bool has_draft_head() const override { return false; }
  Result<void> Propose(std::span<DraftStep>) override { return boost::outcome_v2::success(); }
  Result<void> Forward(std::span<const Step> steps, std::span<float> logits) override;

  // Called before each step, on the scheduler's thread, with the number of tokens of each part.
  std::function<Result<void>(std::span<const Step>)> before_step;
  int64_t budget = int64_t{1} << 40;  // bytes, pages and tokens are the same here
  std::atomic<int> live_sequences{0};
  std::atomic<int64_t> live_bytes{0};
  std::atomic<int64_t> most_bytes{0};

 private:
  class ScriptedSequence;
  ModelInfo info_;
  std::vector<TokenId> script_;
};

// Collects what a generation says; Wait blocks until its end.
class RecordingSink final : public Sink {
 public:
  void OnDelta(Delta delta) override;
  void OnFinish(FinishReason finish_reason, const Usage& used) override;
  void OnError(const Error& failure) override;
  bool Wait();  // false when nothing came for 20 seconds

  std::string content, reasoning;
  std::vector<CallDelta> calls;
  std::vector<ReportedToken> tokens;
  std::optional<FinishReason> reason;
  std::optional<Error> error;
  Usage usage;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace portcullis::inference
