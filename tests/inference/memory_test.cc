// Decoding asks for no memory: counted with an operator new of our own, which is why this is a program
// by itself.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/inference/model_helpers.h"

namespace {
std::atomic<size_t> g_allocations{0};

void* Allocate(size_t size, size_t alignment) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  return std::aligned_alloc(alignment, (size + alignment) / alignment * alignment);
}
void* Allocated(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
constexpr size_t kUsual = alignof(std::max_align_t);
}  // namespace

// Not inlined: seen beside each other, new and free() look like a mismatch to the compiler.
[[gnu::noinline]] void* operator new(size_t size) { return Allocated(Allocate(size, kUsual)); }
[[gnu::noinline]] void* operator new(size_t size, std::align_val_t alignment) {
  return Allocated(Allocate(size, static_cast<size_t>(alignment)));
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return Allocate(size, kUsual);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace portcullis::inference {
namespace {

// After a first token nothing more is asked for within a page.
void ExpectNothingAllocated(const std::filesystem::path& path, Precision precision) {
  LoadOptions options;
  options.precision = precision;
  const auto model = LoadOrFail(path, options);
  ASSERT_NE(model, nullptr);
  std::vector<std::unique_ptr<Sequence>> sequences;
  std::vector<Step> steps;
  const std::vector<int32_t> token = {5};
  for (int i = 0; i < 3; ++i) {
    sequences.push_back(model->NewSequence(model->page_tokens()).value());
    steps.push_back({.sequence = sequences.back().get(), .tokens = token, .role = TokenRole::kGenerated});
  }
  std::vector<float> logits(steps.size() * static_cast<size_t>(model->info().vocab_size));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(model->Forward(steps, logits));
  const size_t before = g_allocations;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(model->Forward(steps, logits));
  EXPECT_EQ(g_allocations - before, 0u) << path;
}

TEST(Memory, DecodingAllocatesNothing) {
  const std::filesystem::path own = std::filesystem::path(PORTCULLIS_SOURCE_DIR) / "inference/nano/model";
  for (const auto precision : {Precision::kExact, Precision::kFast}) ExpectNothingAllocated(own, precision);
}

TEST(Memory, DecodingAllocatesNothingInOtherArchitectures) {
  SKIP_WITHOUT_SHARED_MODELS();
  for (const char* file : {"llama-micro/llamamicro-f32.gguf", "qwen2-micro/qwen2micro-Q8_0.gguf"}) {
    for (const auto precision : {Precision::kExact, Precision::kFast}) {
      ExpectNothingAllocated(SharedModels() / file, precision);
    }
  }
}

TEST(Memory, FastComputationKeepsKeysAndValuesInHalfTheMemory) {
  const std::filesystem::path own = std::filesystem::path(PORTCULLIS_SOURCE_DIR) / "inference/nano/model";
  const auto bytes = [&](Precision precision, std::optional<KvType> kv_type) {
    LoadOptions options;
    options.precision = precision;
    options.kv_type = kv_type;
    const auto model = LoadOrFail(own, options);
    return model == nullptr ? 0 : model->SequenceBytes(model->page_tokens());
  };
  const int64_t f32 = bytes(Precision::kExact, KvType::kF32);
  const int64_t f16 = bytes(Precision::kExact, KvType::kF16);
  EXPECT_GT(f16, 0);
  EXPECT_LT(f16, f32 * 6 / 10);  // pages begin at whole pages of the machine's
  EXPECT_EQ(bytes(Precision::kExact, {}), f32);
  EXPECT_EQ(bytes(Precision::kFast, {}), f16);
  EXPECT_EQ(bytes(Precision::kFast, KvType::kF32), f32);
}

}  // namespace
}  // namespace portcullis::inference
