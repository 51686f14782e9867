// A real model writes the story that llama2.c and llama.cpp write at temperature 0.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "tests/inference/model_helpers.h"

namespace portcullis::inference {
namespace {

constexpr std::string_view kSpace = "\xe2\x96\x81";  // SentencePiece's mark for a space

std::string Replace(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// SentencePiece's merges: the pair whose joined piece has the best score, until none is left.
std::vector<int32_t> Encode(const std::vector<std::string_view>& pieces,
                            const std::vector<float>& scores, std::string text) {
  const auto id_of = [&](const std::string& piece) {
    return static_cast<int32_t>(std::ranges::find(pieces, piece) - pieces.begin());
  };
  std::vector<std::string> parts = {std::string(kSpace)};
  for (const char c : text) parts.push_back(c == ' ' ? std::string(kSpace) : std::string(1, c));
  while (true) {
    float best = -1e30f;
    size_t at = parts.size();
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto id = static_cast<size_t>(id_of(parts[i] + parts[i + 1]));
      if (id < pieces.size() && scores[id] > best) {
        best = scores[id];
        at = i;
      }
    }
    if (at == parts.size()) break;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
  std::vector<int32_t> ids = {1};
  for (const auto& part : parts) ids.push_back(id_of(part));
  return ids;
}

TEST(Stories, GreedyTextIsTheOneOthersWrite) {
  SKIP_WITHOUT_SHARED_MODELS();
  const auto folder = SharedModels() / "stories260k";
  const auto model = LoadOrFail(folder / "stories260k-f32.gguf");
  ASSERT_NE(model, nullptr);
  const auto pieces = model->gguf()->Strings("tokenizer.ggml.tokens").value();
  const auto scores = model->gguf()->Floats("tokenizer.ggml.scores").value();
  std::ifstream stream(folder / "greedy.txt");
  std::string story{std::istreambuf_iterator<char>(stream), {}};
  while (story.ends_with('\n')) story.pop_back();

  auto tokens = Encode(pieces, scores, "Once upon a time");
  auto sequence = model->NewSequence(model->info().context_length).value();
  std::vector<float> logits(pieces.size());
  std::string text;
  std::span<const int32_t> step_tokens = tokens;
  int32_t next = 0;
  std::vector<int32_t> written(tokens.begin() + 1, tokens.end());
  while (text.size() < story.size() && sequence->length() < sequence->capacity()) {
    const Step step{sequence.get(), step_tokens, LogitRows::kLast};
    const auto done = model->Forward({&step, 1}, logits);
    ASSERT_TRUE(done) << done.error().message;
    next = static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin());
    written.push_back(next);
    step_tokens = {&next, 1};
    text.clear();
    for (const int32_t id : written) {
      // Byte pieces are written <0x0A>.
      const auto piece = pieces[static_cast<size_t>(id)];
      if (piece.starts_with("<0x")) {
        text += static_cast<char>(std::stoi(std::string(piece.substr(3, 2)), nullptr, 16));
      } else {
        text += Replace(std::string(piece), kSpace, " ");
      }
    }
    text.erase(0, 1);  // the space that was put before the first word
  }
  EXPECT_EQ(text.substr(0, story.size()), story);
}

}  // namespace
}  // namespace portcullis::inference
