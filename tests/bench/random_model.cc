// Writes a model with random weights and the shape of a known one, for benchmarks: the time a model
// takes does not depend on what its weights say. The weights are the same for the same shape and
// seed whatever the type, so that files of different types can be compared. Memory stays bounded.
//   random_model --shape llama-1b --type F16 --out FILE.gguf --seed 1
// With --cycle N the model counts: after token t comes the next one of its block of N, after the last the first.
// All its work stays, but what layers add to a token is too little to change that. For what depends on what
// is said, as drafts do.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>
#include <thread>

#include "inference/model/quantize.h"
#include "inference/model/quantize_mix.h"
#include "tests/bench/random_shape.h"

namespace portcullis::bench {
namespace {

using inference::DataType;
using inference::Result;

constexpr int64_t kChunkValues = 4 << 20;

// splitmix64: a counter's hash, so that any row can be made alone.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // Near to normal with deviation 1: the sum of four uniform numbers.
  float Normal() {
    const uint64_t bits = Next();
    const auto sum = static_cast<int32_t>((bits & 0xffff) + ((bits >> 16) & 0xffff) +
                                          ((bits >> 32) & 0xffff) + (bits >> 48)) - 2 * 0xffff;
    return static_cast<float>(sum) * (1.7320508f / 65536.0f);
  }

 private:
  uint64_t state_;
};

constexpr float kTooLittle = 1.0f / 1024;

// The token before `token` in its cycle.
int64_t Predecessor(int64_t token, int64_t cycle, int64_t vocab) {
  const int64_t first = token - token % cycle, size = std::min(cycle, vocab - first);
  return first + (token - first + size - 1) % size;
}

void FillRow(const PlannedTensor& tensor, uint64_t seed, bool heavy_tails, int64_t count,
             float* out) {
  Random random(seed);
  const float base = tensor.kind == Kind::kNorm ? 1.0f : 0.0f;
  for (int64_t i = 0; i < count; ++i) {
    float value = random.Normal();
    // One in 64 is up to five times as large, as in trained models.
    if (heavy_tails && tensor.kind == Kind::kMatrix && random.Next() % 64 == 0) {
      value *= 1.0f + static_cast<float>(random.Next() % 1024) / 256.0f;
    }
    out[i] = base + static_cast<float>(tensor.deviation) * value;
  }
}

// What a counting model has other than random numbers. An output's row is the embedding of the token before, the
// head of later tokens passes the embedding on, and layers add next to nothing.
void MakeCount(const PlannedTensor& tensor, int64_t row, int64_t columns, float* out) {
  if (tensor.name.ends_with("nextn.eh_proj.weight")) {
    std::fill_n(out, columns, 0.0f);
    out[row] = 1.0f;
  } else if (tensor.name.find("attn_output") != std::string::npos ||
             tensor.name.find("ffn_down") != std::string::npos) {
    for (int64_t i = 0; i < columns; ++i) out[i] *= kTooLittle;
  }
}

struct Writing {
  uint64_t seed;            // of the tensor
  uint64_t embedding_seed;  // of the embedding, whose rows a counting model's output repeats
  int64_t cycle;            // 0: does not count
  bool heavy_tails;
  int threads;
};

Result<void> WriteTensor(const PlannedTensor& tensor, DataType type, const Writing& how,
                         inference::gguf::Writer& writer) {
  const int64_t columns = tensor.shape.back();
  int64_t rows = 1;
  for (const int64_t size : tensor.shape) rows *= size;
  rows /= columns;
  const auto layout = inference::LayoutOf(type);
  const int64_t row_bytes = columns / layout.elements * layout.bytes;
  const int64_t chunk = std::max<int64_t>(1, kChunkValues / columns);
  std::vector<std::byte> bytes;
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t count = std::min(chunk, rows - begin);
    bytes.resize(static_cast<size_t>(count * row_bytes));
    std::vector<std::jthread> pool;
    for (int64_t part = 0; part < how.threads; ++part) {
      pool.emplace_back([&, part] {
        std::vector<float> row(static_cast<size_t>(columns));
        for (int64_t i = part; i < count; i += how.threads) {
          const bool repeats = how.cycle > 0 && tensor.name == "output.weight";
          const int64_t source = repeats ? Predecessor(begin + i, how.cycle, rows) : begin + i;
          const uint64_t base = repeats ? how.embedding_seed : how.seed;
          const uint64_t row_seed = Random(base + static_cast<uint64_t>(source)).Next();
          FillRow(tensor, row_seed, how.heavy_tails, columns, row.data());
          if (how.cycle > 0) MakeCount(tensor, begin + i, columns, row.data());
          inference::QuantizeWeights(type, row.data(), columns, {}, bytes.data() + i * row_bytes);
        }
      });
    }
    pool.clear();
    BOOST_OUTCOME_TRY(writer.Write(bytes));
  }
  return boost::outcome_v2::success();
}

struct Arguments {
  std::string shape, type = "F16", out;
  uint64_t seed = 1;
  int64_t cycle = 0;
  int threads = 2;
  bool mtp = false, no_vocabulary = false, heavy_tails = false;
};

Result<void> Run(const Arguments& arguments) {
  using inference::Code;
  using inference::Error;
  const Shape* shape = FindShape(arguments.shape);
  if (shape == nullptr) {
    return Error{Code::kInvalidArgument, "--shape: one of " + ShapeNames()};
  }
  if (arguments.mtp && shape->kv_lora == 0) {
    return Error{Code::kInvalidArgument, "--mtp: only shapes of DeepSeek's architecture"};
  }
  BOOST_OUTCOME_TRY(const auto mix, inference::QuantMix::Named(arguments.type));
  if (arguments.cycle > 0 && shape->tied) {
    return Error{Code::kInvalidArgument, "--cycle: only shapes with an output matrix of their own"};
  }
  inference::gguf::Writer writer;
  SetMetadata(*shape, arguments.mtp, writer);
  writer.SetInt("general.file_type", mix.gguf_file_type());
  if (arguments.no_vocabulary) {
    writer.SetString("tokenizer.ggml.model", "no_vocab");
  } else {
    SetVocabulary(*shape, writer);
  }
  const auto tensors = TensorsOf(*shape, arguments.mtp);
  std::vector<DataType> types;
  int64_t parameters = 0;
  for (const auto& tensor : tensors) {
    types.push_back(mix.TypeFor(tensor.name, tensor.shape, shape->layers, shape->tied));
    BOOST_OUTCOME_TRY(writer.AddTensor(tensor.name, types.back(), tensor.shape));
    int64_t elements = 1;
    for (const int64_t size : tensor.shape) elements *= size;
    parameters += elements;
  }
  std::cerr << shape->name << ": " << parameters << " parameters, " << writer.data_bytes()
            << " bytes\n";
  BOOST_OUTCOME_TRY(writer.Begin(arguments.out));
  const auto seed_of = [&](size_t index) {
    return Random(arguments.seed * 1'000'003 + index).Next();
  };
  const auto embedding = std::ranges::find(tensors, "token_embd.weight", &PlannedTensor::name);
  const auto embedding_seed = seed_of(static_cast<size_t>(embedding - tensors.begin()));
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Writing how{seed_of(i), embedding_seed, arguments.cycle, arguments.heavy_tails, arguments.threads};
    BOOST_OUTCOME_TRY(WriteTensor(tensors[i], types[i], how, writer));
  }
  return writer.Finish();
}

}  // namespace
}  // namespace portcullis::bench

int main(int argc, char** argv) {
  portcullis::bench::Arguments arguments;
  CLI::App app("Writes a GGUF model with random weights.");
  app.add_option("--shape", arguments.shape, portcullis::bench::ShapeNames())->required();
  app.add_option("--type", arguments.type, "F32, F16, BF16, Q8_0, Q4_0, Q4_K_M, Q5_K_M, Q6_K");
  app.add_option("--out", arguments.out, "the file to write")->required();
  app.add_option("--seed", arguments.seed, "same seed, same weights");
  app.add_option("--cycle", arguments.cycle, "says the tokens of blocks of so many, round and round; 0: does not")
      ->check(CLI::Range(0, 1 << 20));
  app.add_option("--threads", arguments.threads)->check(CLI::Range(1, 64));
  app.add_flag("--mtp", arguments.mtp, "with a multi-token prediction layer");
  app.add_flag("--heavy-tails", arguments.heavy_tails, "some weights far larger than the others");
  app.add_flag("--no-vocab", arguments.no_vocabulary, "without a vocabulary");
  CLI11_PARSE(app, argc, argv);
  const auto result = portcullis::bench::Run(arguments);
  if (result) return 0;
  std::cerr << "random_model: " << result.error().message << "\n";
  return 1;
}
