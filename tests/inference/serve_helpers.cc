#include "tests/inference/serve_helpers.h"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <optional>

#include "inference/tokenizer/utf8.h"

namespace portcullis::inference {
namespace {

namespace json = boost::json;

// GPT-2's letter for a byte.
std::string Letter(int byte) {
  int next = 256;
  for (int b = 0; b < 256; ++b) {
    const bool own = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    const int code = own ? b : next++;
    if (b == byte) {
      std::string letter;
      AppendUtf8(static_cast<char32_t>(code), letter);
      return letter;
    }
  }
  return {};
}

json::object Added(TokenId id, const char* content, bool special) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

}  // namespace

std::string TestTokenizerJson() {
  json::object vocab;
  for (int b = 0; b < 256; ++b) vocab[Letter(b)] = b;
  vocab["he"] = kHe;
  vocab["ll"] = kLl;
  vocab["hell"] = kHell;
  vocab["hello"] = kHello;
  json::object split{
      {"type", "Split"},
      {"pattern", json::object{{"Regex", R"( ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+)"}}},
      {"behavior", "Isolated"},
      {"invert", false}};
  json::object level{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  json::object root;
  root["added_tokens"] = json::array{
      Added(kBos, "<｜begin▁of▁sentence｜>", true), Added(kEos, "<｜end▁of▁sentence｜>", true),
      Added(kUserMark, "<｜User｜>", false),        Added(kAssistantMark, "<｜Assistant｜>", false),
      Added(kThinkOpen, "<think>", false),          Added(kThinkClose, "</think>", false),
      Added(kImStart, "<|im_start|>", true),        Added(kImEnd, "<|im_end|>", true)};
  root["normalizer"] = nullptr;
  root["pre_tokenizer"] =
      json::object{{"type", "Sequence"}, {"pretokenizers", json::array{split, level}}};
  root["decoder"] = json::object{{"type", "ByteLevel"}};
  root["model"] = json::object{
      {"type", "BPE"}, {"vocab", vocab}, {"merges", json::array{"h e", "l l", "he ll", "hell o"}}};
  return json::serialize(root);
}

std::unique_ptr<Tokenizer> TestTokenizer(const std::string& chat_template) {
  json::object config{{"bos_token", "<｜begin▁of▁sentence｜>"},
                      {"eos_token", json::object{{"content", "<｜end▁of▁sentence｜>"}}},
                      {"add_bos_token", true},
                      {"chat_template", chat_template}};
  const std::string tokenizer = TestTokenizerJson();
  const std::string config_text = json::serialize(config);
  auto result = Tokenizer::FromJson({tokenizer, config_text, {}, {}});
  return result ? std::move(result).value() : nullptr;
}

std::vector<TokenId> Bytes(const std::string& text) {
  std::vector<TokenId> ids;
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

class ScriptedModel::ScriptedSequence final : public Sequence {
 public:
  ScriptedSequence(ScriptedModel& model, int64_t size) : model_(model), capacity_(size) {
    ++model_.live_sequences;
    const int64_t now = model_.live_bytes += size;
    if (now > model_.most_bytes) model_.most_bytes = now;
  }
  ~ScriptedSequence() override {
    --model_.live_sequences;
    model_.live_bytes -= capacity_;
  }
  int64_t length() const override { return length_; }
  int64_t capacity() const override { return capacity_; }
  void Truncate(int64_t length) override { length_ = std::min(length_, length); }
  bool Reserve(int64_t tokens) override {
    const int64_t more = std::max<int64_t>(0, tokens - capacity_);
    if (model_.live_bytes + more > model_.budget) return false;
    const int64_t now = model_.live_bytes += more;
    model_.most_bytes = std::max(model_.most_bytes.load(), now);
    capacity_ += more;
    return true;
  }
  bool Adopt(const Sequence&, int64_t) override { return false; }

  int64_t length_ = 0;
  int64_t prompt_ = 0;  // tokens of the prompt

 private:
  ScriptedModel& model_;
  int64_t capacity_;
};

ScriptedModel::ScriptedModel(std::vector<TokenId> script, int64_t context)
    : script_(std::move(script)) {
  info_.architecture = "scripted";
  info_.name = "scripted";
  info_.sha256 = std::string(64, 'a');
  info_.vocab_size = kTestVocab;
  info_.context_length = context;
}

Result<std::unique_ptr<Sequence>> ScriptedModel::NewSequence(int64_t capacity_tokens) {
  return std::unique_ptr<Sequence>(std::make_unique<ScriptedSequence>(*this, capacity_tokens));
}

Result<void> ScriptedModel::Forward(std::span<const Step> steps, std::span<float> logits) {
  if (before_step) {
    BOOST_OUTCOME_TRY(before_step(steps));
  }
  std::fill(logits.begin(), logits.end(), 0.0f);
  size_t row = 0;
  for (const Step& step : steps) {
    auto& sequence = static_cast<ScriptedSequence&>(*step.sequence);
    sequence.length_ += static_cast<int64_t>(step.tokens.size());
    if (sequence.length_ > sequence.capacity()) {
      return Error{Code::kContextLength, "more tokens than the sequence holds"};
    }
    if (step.role == TokenRole::kPrompt) sequence.prompt_ = sequence.length_;
    const auto rows = static_cast<int64_t>(step.rows == LogitRows::kAll    ? step.tokens.size()
                                           : step.rows == LogitRows::kLast ? 1u
                                                                           : 0u);
    for (int64_t at = sequence.length_ - rows; at < sequence.length_; ++at, ++row) {
      const auto written = static_cast<size_t>(at + 1 - sequence.prompt_);
      const TokenId next = written < script_.size() ? script_[written] : kEos;
      logits[row * static_cast<size_t>(kTestVocab) + static_cast<size_t>(next)] = 50.0f;
    }
    if (!step.embedding.empty()) step.embedding[0] += static_cast<float>(step.tokens.size());
  }
  return boost::outcome_v2::success();
}

void RecordingSink::OnDelta(Delta delta) {
  const std::lock_guard lock(mutex_);
  content += delta.content;
  calls.insert(calls.end(), delta.calls.begin(), delta.calls.end());
  reasoning += delta.reasoning;
  tokens.insert(tokens.end(), delta.tokens.begin(), delta.tokens.end());
}

void RecordingSink::OnFinish(FinishReason finish_reason, const Usage& used) {
  const std::lock_guard lock(mutex_);
  reason = finish_reason;
  usage = used;
  changed_.notify_all();
}

void RecordingSink::OnError(const Error& failure) {
  const std::lock_guard lock(mutex_);
  error = failure;
  changed_.notify_all();
}

bool RecordingSink::Wait() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(20),
                           [&] { return reason.has_value() || error.has_value(); });
}

}  // namespace portcullis::inference
