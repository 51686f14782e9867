// Speed of linear layers alone: every type and instruction level, for one token row (GB/s of
// weights read) and for more rows (G operations/s, two a multiplication), beside what the machine can do,
// measured in the same run.
//   gemm_bench [--rows 4096] [--columns 4096] [--threads 0] [--isa amx] [--type Q4_0] [--m 1,8,512]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "inference/ops/gemm.h"
#include "inference/ops/limits.h"

namespace portcullis::inference {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Options {
  int64_t rows = 4096, columns = 4096;
  int threads = 0;
  std::string isa, type;
  std::vector<int64_t> counts = {1, 4, 8, 16, 32, 512};
};

// Enough copies of a matrix that one run over them comes from memory, as a model's layers do.
struct Layers {
  Layers(Workers& workers, DataType type, Isa isa, const Options& options) : store(workers) {
    const auto layout = LayoutOf(type);
    const int64_t size = options.rows * options.columns / layout.elements * layout.bytes;
    const int64_t copies = std::max<int64_t>(1, (int64_t{256} << 20) / size);
    std::mt19937 random(1);
    std::vector<uint16_t> pattern(4096);
    // Small numbers of every type; none of the two bytes is an 8-bit float that is not a number.
    for (auto& value : pattern) value = static_cast<uint16_t>(0x2c00 | (random() & 0x83bf));
    for (int64_t i = 0; i < copies; ++i) {
      bytes.emplace_back(static_cast<size_t>(size));
      for (size_t at = 0; at < bytes.back().size(); at += 8192) {
        const size_t left = bytes.back().size() - at;
        std::memcpy(&bytes.back()[at], pattern.data(), std::min<size_t>(8192, left));
      }
      const Matrix matrix{type, options.rows, options.columns, bytes.back().data()};
      gemms.emplace_back(matrix, std::vector<float>{}, GemmOptions{Precision::kFast, isa, &store});
      if (gemms.back().packed()) bytes.back() = {};
      weight_bytes += static_cast<double>(size);
    }
  }
  PackStore store;
  std::vector<std::vector<std::byte>> bytes;
  std::vector<Gemm> gemms;
  double weight_bytes = 0;
};

// Seconds for one pass over all layers: the best of some.
double Measure(Workers& workers, const Layers& layers, int64_t m, bool prompt,
               const Options& options) {
  std::mt19937 random(2);
  std::vector<float> x(static_cast<size_t>(m * options.columns));
  for (auto& value : x) value = static_cast<float>(random()) * 0x1p-31f - 1.0f;
  std::vector<float> y(static_cast<size_t>(m * options.rows));
  // Prompts are bound by arithmetic: a few layers say it all.
  const size_t used = prompt ? 1 : layers.gemms.size();
  double best = 1e30;
  const double end = Now() + 0.4;
  for (int round = 0; round < 3 || Now() < end; ++round) {
    const double start = Now();
    for (size_t i = 0; i < used; ++i) {
      const GemmCall call{&layers.gemms[i], x.data(), options.columns, m, y.data(), options.rows,
                          prompt ? 0 : m};
      RunGemms(workers, {&call, 1});
    }
    best = std::min(best, Now() - start);
  }
  return best * static_cast<double>(layers.gemms.size()) / static_cast<double>(used);
}

void Run(const Options& options) {
  Workers workers(options.threads);
  const auto limits = MeasureLimits(workers);
  std::printf("%d threads; limits: %.1f GB/s, f32 %.0f GF/s, bf16 %.0f GF/s, int8 %.0f GOP/s\n",
              workers.threads(), limits.read_bytes_per_second / 1e9, limits.f32_per_second / 1e9,
              limits.bf16_per_second / 1e9, limits.int8_per_second / 1e9);
  std::printf("%lld x %lld; m = 1 in GB/s (share of the limit), others in GOP/s; p: prompt rows\n",
              static_cast<long long>(options.rows), static_cast<long long>(options.columns));
  for (const DataType type : {DataType::kQ4_0, DataType::kQ4_1, DataType::kQ5_0, DataType::kQ5_1,
                              DataType::kQ4_K, DataType::kQ5_K, DataType::kQ6_K, DataType::kQ8_0, DataType::kF8E4M3, DataType::kF16, DataType::kBF16,
                              DataType::kF32}) {
    if (!options.type.empty() && options.type != NameOf(type)) continue;
    for (const Isa isa : UsableIsas()) {
      if (options.isa.empty() ? isa == Isa::kScalar : options.isa != NameOf(isa)) continue;
      const Layers layers(workers, type, isa, options);
      std::printf("%-8s %-8s", std::string(NameOf(type)).c_str(), std::string(NameOf(isa)).c_str());
      for (const int64_t m : options.counts) {
        const bool prompt = m > 64;
        const double seconds = Measure(workers, layers, m, prompt, options);
        if (m == 1) {
          const double rate = layers.weight_bytes / seconds;
          std::printf("  1: %5.1f (%3.0f%%)", rate / 1e9,
                      100 * rate / limits.read_bytes_per_second);
          continue;
        }
        const double operations = 2.0 * static_cast<double>(m * options.rows * options.columns) *
                                  static_cast<double>(layers.gemms.size());
        std::printf("  %lld%s: %4.0f", static_cast<long long>(m), prompt ? "p" : "",
                    operations / seconds / 1e9);
        std::fflush(stdout);
      }
      std::printf("\n");
    }
  }
}

}  // namespace
}  // namespace portcullis::inference

int main(int argc, char** argv) {
  portcullis::inference::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--rows") options.rows = std::atoll(value.c_str());
    if (name == "--columns") options.columns = std::atoll(value.c_str());
    if (name == "--threads") options.threads = std::atoi(value.c_str());
    if (name == "--isa") options.isa = value;
    if (name == "--type") options.type = value;
    if (name == "--m") {
      options.counts.clear();
      std::istringstream list(value);
      for (std::string one; std::getline(list, one, ',');) {
        options.counts.push_back(std::atoll(one.c_str()));
      }
    }
  }
  portcullis::inference::Run(options);
}
