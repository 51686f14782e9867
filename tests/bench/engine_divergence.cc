// How far quantised files are from the model they were made of: the mean Kullback-Leibler divergence (nats) of
// the next token's distribution from that of the exact model in f32, over the second half of windows of a text.
// Those are the positions that llama-perplexity judges with `--kl-divergence -c WINDOW`, where both see the same tokens.
// engine_divergence.mjs runs both. One line of JSON a file; the exact model's own is the floor of the arithmetic.
//   engine_divergence TEXT WINDOW EXACT FILE...
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "inference/engine.h"

namespace portcullis::inference {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "engine_divergence: %s\n", what.c_str());
  std::exit(1);
}

template <typename T>
T Need(Result<T> result) {
  if (!result) Die(result.error().message);
  return std::move(result.value());
}

std::unique_ptr<Model> Open(const char* path, Precision precision) {
  LoadOptions options;
  options.hash = false;
  options.precision = precision;
  return Need(Model::Load(path, options));
}

std::vector<std::vector<TokenId>> WindowsOf(const Model& model, const std::string& text, size_t window) {
  const auto tokenizer = Need(LoadTokenizer(model));
  std::vector<TokenId> tokens;
  const bool bos = tokenizer->add_bos();
  if (bos) tokens.push_back(tokenizer->bos());
  if (auto done = tokenizer->Encode(text, Specials::kAsText, tokens); !done) Die(done.error().message);
  std::vector<std::vector<TokenId>> windows;
  for (size_t at = 0; at + window <= tokens.size(); at += window) {
    windows.emplace_back(tokens.begin() + static_cast<std::ptrdiff_t>(at),
                         tokens.begin() + static_cast<std::ptrdiff_t>(at + window));
    if (bos) windows.back()[0] = tokenizer->bos();
  }
  if (windows.empty()) Die("the text has fewer tokens than one window");
  return windows;
}

// Logits after every token, [window, vocabulary]. A generated token's row is computed as decoding computes it.
std::vector<float> Logits(Model& model, const std::vector<TokenId>& tokens, TokenRole role) {
  auto sequence = Need(model.NewSequence(static_cast<int64_t>(tokens.size())));
  std::vector<float> logits(tokens.size() * static_cast<size_t>(model.info().vocab_size));
  const Step step{sequence.get(), tokens, LogitRows::kAll, role};
  if (auto done = model.Forward({&step, 1}, logits); !done) Die(done.error().message);
  return logits;
}

double LogSum(const float* row, size_t size) {
  double highest = row[0], sum = 0;
  for (size_t i = 1; i < size; ++i) highest = std::max<double>(highest, row[i]);
  for (size_t i = 0; i < size; ++i) sum += std::exp(row[i] - highest);
  return highest + std::log(sum);
}

double Divergence(const float* exact, const float* other, size_t vocab) {
  const double p_sum = LogSum(exact, vocab), q_sum = LogSum(other, vocab);
  double total = 0;
  for (size_t i = 0; i < vocab; ++i) {
    const double p = exact[i] - p_sum, q = other[i] - q_sum;
    total += std::exp(p) * (p - q);
  }
  return total;
}

void Main(int argc, char** argv) {
  if (argc < 4) Die("TEXT WINDOW EXACT FILE... are needed");
  std::ifstream file(argv[1], std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  size_t window = 0;
  std::from_chars(argv[2], argv[2] + std::strlen(argv[2]), window);
  if (window < 2) Die("WINDOW is a number of tokens, 2 or more");
  const auto exact = Open(argv[3], Precision::kExact);
  const auto windows = WindowsOf(*exact, text, window);
  const auto vocab = static_cast<size_t>(exact->info().vocab_size);
  for (int i = 3; i < argc; ++i) {
    const auto model = Open(argv[i], Precision::kFast);
    if (model->info().vocab_size != exact->info().vocab_size) Die(std::string(argv[i]) + " has another vocabulary");
    double sums[2] = {0, 0};
    for (const auto& tokens : windows) {
      const auto truth = Logits(*exact, tokens, TokenRole::kPrompt);
      for (int role = 0; role < 2; ++role) {
        const auto rows = Logits(*model, tokens, role == 0 ? TokenRole::kPrompt : TokenRole::kGenerated);
        for (size_t row = window / 2; row + 1 < window; ++row) {
          sums[role] += Divergence(&truth[row * vocab], &rows[row * vocab], vocab);
        }
      }
    }
    const double count = static_cast<double>(windows.size() * (window - 1 - window / 2));
    std::printf("{\"positions\":%.0f,\"prompt\":%.8f,\"generated\":%.8f}\n", count, sums[0] / count, sums[1] / count);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace portcullis::inference

int main(int argc, char** argv) { portcullis::inference::Main(argc, argv); }
