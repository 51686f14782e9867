// Speed of attention alone for callers that write one token each behind a long context: GB/s of keys and
// values read and G operations/s (two a multiplication), beside what the machine can do, measured in the
// same run.
#include <CLI/CLI.hpp>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "inference/ops/attention.h"
#include "inference/ops/limits.h"

namespace portcullis::inference {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Options {
  int64_t heads = 32, kv_heads = 4, size = 64;
  int64_t latent = 0;  // values of that size at the beginning of keys of `size` more: one key-value head
  int64_t layers = 0;  // 0: enough that none of it stays in a cache
  int threads = 0;
  std::string kv_type, kernels;
  std::vector<int64_t> contexts = {512, 2048, 8192}, callers = {1, 4, 16};

  KvShape Shape(KvType type) const {
    if (latent > 0) return {1, latent + size, latent, true, type};
    return {kv_heads, size, size, false, type};
  }
};

// Pages of 64 positions of all layers, as the engine's are.
class Pages {
 public:
  Pages(const KvShape& shape, int64_t layers, int64_t count)
      : bytes_(static_cast<size_t>(count * layers * shape.block_bytes())) {
    void* data = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
    madvise(data, bytes_, MADV_HUGEPAGE);
    data_ = static_cast<std::byte*>(data);
    std::mt19937 random(1);
    for (size_t at = 0; at < bytes_; at += 2) {  // small numbers, as f32 as well as as f16
      const auto value = static_cast<uint16_t>(0x2c00 | (random() & 0x83ff));
      data_[at] = static_cast<std::byte>(value & 255);
      data_[at + 1] = static_cast<std::byte>(value >> 8);
    }
    for (int64_t i = 0; i < count; ++i) pages_.push_back(data_ + i * layers * shape.block_bytes());
  }
  ~Pages() { munmap(data_, bytes_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  std::byte* const* first(int64_t page) const { return &pages_[static_cast<size_t>(page)]; }

 private:
  size_t bytes_;
  std::byte* data_;
  std::vector<std::byte*> pages_;
};

const AttentionKernels& KernelsNamed(const std::string& name) {
  if (name == "portable") return PortableAttentionKernels();
  return name == "avx2" ? Avx2AttentionKernels() : BestAttentionKernels();
}

void Measure(Workers& workers, const Options& options, KvType type, int64_t context, int64_t callers,
             const MachineLimits& limits) {
  AttentionShape shape{options.heads, 0.125f, options.Shape(type)};
  const int64_t pages_each = (context + kKvBlock - 1) / kKvBlock;
  const int64_t layer = callers * context * shape.kv.block_bytes() / kKvBlock;
  const int64_t layers = options.layers > 0 ? options.layers : std::clamp<int64_t>((int64_t{256} << 20) / layer, 1, 64);
  const Pages pages(shape.kv, layers, callers * pages_each);
  const int64_t queries = options.heads * shape.kv.key_size, values = options.heads * shape.kv.value_size;
  std::vector<float> query(static_cast<size_t>(callers * queries), 0.01f), out(static_cast<size_t>(callers * values));
  std::vector<AttentionCall> calls;
  for (int64_t i = 0; i < callers; ++i) {
    calls.push_back({query.data() + i * queries, 1, context - 1, pages.first(i * pages_each), out.data() + i * values});
  }
  Attention attention(KernelsNamed(options.kernels));
  double best = 1e30;
  const double end = Now() + 1;
  for (int round = 0; round < 3 || Now() < end; ++round) {
    const double start = Now();
    for (int64_t i = 0; i < layers; ++i) {
      shape.offset = i * shape.kv.block_bytes();
      attention.Run(workers, shape, calls);
    }
    best = std::min(best, Now() - start);
  }
  const double read = static_cast<double>(layers * layer) / best;
  const double operations = 2.0 * static_cast<double>(layers * callers * context * options.heads *
                                                      (shape.kv.key_size + shape.kv.value_size)) / best;
  std::printf("%s  context %6lld  callers %3lld  %6.1f GB/s (%3.0f%%)  %6.1f GF/s (%3.0f%%)\n",
              std::string(NameOf(type)).c_str(), static_cast<long long>(context),
              static_cast<long long>(callers), read / 1e9, 100 * read / limits.read_bytes_per_second,
              operations / 1e9, 100 * operations / limits.f32_per_second);
}

void Run(const Options& options) {
  Workers workers(options.threads);
  const auto limits = MeasureLimits(workers);
  std::printf("%d threads; limits: %.1f GB/s, f32 %.0f GF/s\n", workers.threads(),
              limits.read_bytes_per_second / 1e9, limits.f32_per_second / 1e9);
  for (const auto type : {KvType::kF32, KvType::kF16}) {
    if (!options.kv_type.empty() && options.kv_type != NameOf(type)) continue;
    for (const int64_t context : options.contexts) {
      for (const int64_t callers : options.callers) {
        Measure(workers, options, type, context, callers, limits);
      }
    }
  }
}

}  // namespace
}  // namespace portcullis::inference

int main(int argc, char** argv) {
  portcullis::inference::Options options;
  CLI::App app("Speed of attention alone, beside the machine's limits.");
  app.add_option("--heads", options.heads, "query heads")->check(CLI::PositiveNumber);
  app.add_option("--kv-heads", options.kv_heads, "key-value heads")->check(CLI::PositiveNumber);
  app.add_option("--size", options.size, "of a head")->check(CLI::PositiveNumber);
  app.add_option("--latent", options.latent, "latent attention with values of that size");
  app.add_option("--threads", options.threads, "computing threads; 0: one a core");
  app.add_option("--layers", options.layers, "0: enough that none of it stays in a cache");
  app.add_option("--kv-type", options.kv_type, "how keys and values are kept")->check(CLI::IsMember({"f32", "f16"}));
  app.add_option("--kernels", options.kernels, "the best, unless said")->check(CLI::IsMember({"portable", "avx2"}));
  app.add_option("--context", options.contexts, "positions of each caller")->check(CLI::PositiveNumber)->delimiter(',');
  app.add_option("--callers", options.callers, "who write one token each")->check(CLI::PositiveNumber)->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  portcullis::inference::Run(options);
}
