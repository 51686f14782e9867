// The inputs of a RunGemms in the forms that its Gemms compute with. Each distinct input is
// converted once, however many layers read it: query, key and value share theirs, gate and up too.
// Used inside one RunGemms only; its lists lie in the workers' memory, so that a pass allocates nothing
// once that has grown.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "inference/ops/gemm.h"
#include "inference/ops/kernels.h"
#include "inference/ops/kernels/amx.h"

namespace portcullis::inference {

struct PreparedRows {
  const float* x = nullptr;
  int64_t x_stride = 0;
  int64_t m = 0;
  int64_t token_rows = 0;  // the first of the m rows; the others are prompt rows
  const QuantizedGroup* quantized = nullptr;  // token rows; or
  const amx::QuantizedBlock* blocks = nullptr;  // 16 token rows each, one after the other
  const uint16_t* high = nullptr;             // prompt rows, blocks of kernels/amx.h
  const uint16_t* low = nullptr;
};

class GemmInputs {
 public:
  // For at most `calls` calls.
  GemmInputs(Workers& workers, size_t calls);
  GemmInputs(const GemmInputs&) = delete;
  GemmInputs& operator=(const GemmInputs&) = delete;

  void Add(const GemmCall& call);
  // After the last Add: converts everything. Throws std::bad_alloc.
  void Prepare();
  // Of the call with this number, in the order of Add.
  PreparedRows Get(size_t call) const;
  // Room for a number a call beside the lists.
  std::pmr::memory_resource* memory() { return &memory_; }

 private:
  static constexpr size_t kNone = ~size_t{0};
  enum class Layout : uint8_t {
    kGroups,  // token rows, quantised
    kBlocks,  // the same, sixteen together
    kTiles    // prompt rows, blocks of bf16
  };
  // One form of some rows.
  struct Form {
    const float* x;
    int64_t x_stride;
    int64_t rows;
    int64_t columns;
    Layout layout;
    const Kernels* kernels;     // of kGroups
    bool low = false;
    int64_t offset = 0;         // floats from the beginning of the shared buffer
    int64_t units_end = 0;      // units of work of this form and those before it
    int64_t Units() const;
    int64_t RowBlocks() const;
    int64_t Floats() const;     // without the low parts
  };
  struct Call {
    PreparedRows rows;
    size_t quantized = kNone;
    size_t tiles = kNone;
  };
  static int64_t PlanFloats(size_t calls);
  size_t FormOf(const Form& wanted);
  void Convert(const Form& form, int64_t unit, float* base) const;
  void ConvertBlocks(const Form& form, int64_t unit, float* base) const;
  void ConvertTiles(const Form& form, int64_t unit, float* base) const;

  Workers& workers_;
  std::pmr::monotonic_buffer_resource memory_;
  std::pmr::vector<Form> forms_{&memory_};
  std::pmr::vector<Call> calls_{&memory_};
};

}  // namespace portcullis::inference
