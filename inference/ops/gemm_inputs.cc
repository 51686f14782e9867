#include "inference/ops/gemm_inputs.h"

#include <algorithm>
#include <cstddef>

#include "inference/ops/pack.h"

namespace portcullis::inference {
namespace {

constexpr int64_t kRowsPerUnit = 4;          // of quantised rows
constexpr int64_t kGroupsPerUnit = 8;        // of blocks of sixteen rows
constexpr int64_t kParallelValues = 1 << 14;  // conversions that repay waking a thread
constexpr int64_t kGroupFloats = sizeof(QuantizedGroup) / sizeof(float);
constexpr int64_t kTokenBlockFloats = sizeof(amx::QuantizedBlock) / sizeof(float);
constexpr int64_t kBlockFloats = amx::kBlock / 2;
constexpr int64_t kBlockRows = 9;  // fewer are bound by memory without tile registers too
constexpr size_t kLookBack = 4;  // calls that share an input stand side by side
constexpr size_t kFormsPerCall = 2;

}  // namespace

// The three lists, each rounded up to where the next may begin.
int64_t GemmInputs::PlanFloats(size_t calls) {
  const size_t bytes = calls * (kFormsPerCall * sizeof(Form) + sizeof(Call) + sizeof(int64_t)) +
                       3 * alignof(std::max_align_t);
  return static_cast<int64_t>(bytes / sizeof(float) + 1);
}

GemmInputs::GemmInputs(Workers& workers, size_t calls)
    : workers_(workers),
      memory_(workers.plan().Get(PlanFloats(calls)),
              static_cast<size_t>(PlanFloats(calls)) * sizeof(float)) {
  forms_.reserve(kFormsPerCall * calls);
  calls_.reserve(calls);
}

int64_t GemmInputs::Form::RowBlocks() const { return (rows + amx::kRows - 1) / amx::kRows; }

int64_t GemmInputs::Form::Units() const {
  if (layout == Layout::kTiles) return RowBlocks();
  if (layout == Layout::kGroups) return (rows + kRowsPerUnit - 1) / kRowsPerUnit;
  return RowBlocks() * ((columns / kGroup + kGroupsPerUnit - 1) / kGroupsPerUnit);
}

int64_t GemmInputs::Form::Floats() const {
  if (layout == Layout::kTiles) return RowBlocks() * amx::DepthBlocks(columns) * kBlockFloats;
  if (layout == Layout::kBlocks) return RowBlocks() * (columns / kGroup) * kTokenBlockFloats;
  // Rounded up to whole cache lines.
  return (rows * (columns / kGroup) * kGroupFloats + 15) / 16 * 16;
}

size_t GemmInputs::FormOf(const Form& wanted) {
  const size_t first = forms_.size() - std::min(forms_.size(), kLookBack);
  for (size_t i = first; i < forms_.size(); ++i) {
    Form& form = forms_[i];
    if (form.x == wanted.x && form.x_stride == wanted.x_stride && form.rows == wanted.rows &&
        form.columns == wanted.columns && form.layout == wanted.layout) {
      form.low |= wanted.low;
      return i;
    }
  }
  forms_.push_back(wanted);
  return forms_.size() - 1;
}

void GemmInputs::Add(const GemmCall& call) {
  const Gemm& gemm = *call.gemm;
  Call added;
  auto& rows = added.rows;
  rows.x = call.x;
  rows.x_stride = call.x_stride;
  rows.m = call.m;
  rows.token_rows = std::min(call.token_rows, call.m);
  if (call.token_rows == kRolesByCount) rows.token_rows = call.m <= kFewRows ? call.m : 0;
  if (gemm.roles_agree()) rows.token_rows = call.m;
  const int64_t columns = gemm.inputs();
  if (rows.token_rows > 0 && gemm.quantizes_tokens()) {
    const bool blocks = gemm.isa() == Isa::kAmx && rows.token_rows >= kBlockRows;
    added.quantized = FormOf({call.x, call.x_stride, rows.token_rows, columns,
                              blocks ? Layout::kBlocks : Layout::kGroups,
                              &KernelsFor(gemm.isa())});
  }
  if (rows.m > rows.token_rows && gemm.tiles_prompts()) {
    added.tiles = FormOf({call.x + rows.token_rows * call.x_stride, call.x_stride,
                          rows.m - rows.token_rows, columns, Layout::kTiles, nullptr,
                          amx::SplitOf(gemm.type()).inputs});
  }
  calls_.push_back(added);
}

void GemmInputs::Convert(const Form& form, int64_t unit, float* base) const {
  if (form.layout == Layout::kTiles) return ConvertTiles(form, unit, base);
  if (form.layout == Layout::kBlocks) return ConvertBlocks(form, unit, base);
  const int64_t groups = form.columns / kGroup;
  auto* out = reinterpret_cast<QuantizedGroup*>(base + form.offset);
  const int64_t end = std::min(form.rows, (unit + 1) * kRowsPerUnit);
  for (int64_t row = unit * kRowsPerUnit; row < end; ++row) {
    form.kernels->quantize(form.x + row * form.x_stride, form.columns, out + row * groups);
  }
}

void GemmInputs::ConvertBlocks(const Form& form, int64_t unit, float* base) const {
  const int64_t groups = form.columns / kGroup;
  const int64_t pieces = (groups + kGroupsPerUnit - 1) / kGroupsPerUnit;
  const int64_t block = unit / pieces, begin = unit % pieces * kGroupsPerUnit;
  const int64_t first = block * amx::kRows;
  auto* out = reinterpret_cast<amx::QuantizedBlock*>(base + form.offset) + block * groups + begin;
  amx::LayOutTokens(form.x + first * form.x_stride + begin * kGroup, form.x_stride,
                    std::min(amx::kRows, form.rows - first),
                    std::min(kGroupsPerUnit, groups - begin) * kGroup, out);
}

void GemmInputs::ConvertTiles(const Form& form, int64_t unit, float* base) const {
  const int64_t block = amx::DepthBlocks(form.columns) * amx::kBlock;
  const int64_t first = unit * amx::kRows;
  auto* high = reinterpret_cast<uint16_t*>(base + form.offset) + unit * block;
  uint16_t* low = form.low ? high + 2 * form.Floats() : nullptr;
  amx::LayOutInputs(form.x + first * form.x_stride, form.x_stride,
                    std::min(amx::kRows, form.rows - first), form.columns, high, low);
}

void GemmInputs::Prepare() {
  int64_t floats = 0, units = 0, values = 0;
  for (auto& form : forms_) {
    form.offset = floats;
    floats += form.Floats() * (form.low ? 2 : 1);
    units += form.Units();
    form.units_end = units;
    values += form.rows * form.columns;
  }
  float* base = workers_.shared().Get(floats);
  workers_.Run(units, values >= kParallelValues, [&](int64_t index, int) {
    const auto form = std::ranges::upper_bound(forms_, index, {}, &Form::units_end);
    Convert(*form, index - (form->units_end - form->Units()), base);
  });
}

PreparedRows GemmInputs::Get(size_t call) const {
  PreparedRows rows = calls_[call].rows;
  const float* base = workers_.shared().data();
  if (calls_[call].quantized != kNone) {
    const Form& form = forms_[calls_[call].quantized];
    if (form.layout == Layout::kBlocks) {
      rows.blocks = reinterpret_cast<const amx::QuantizedBlock*>(base + form.offset);
    } else {
      rows.quantized = reinterpret_cast<const QuantizedGroup*>(base + form.offset);
    }
  }
  if (calls_[call].tiles != kNone) {
    const Form& form = forms_[calls_[call].tiles];
    rows.high = reinterpret_cast<const uint16_t*>(base + form.offset);
    // The form may have low parts for another call's sake.
    if (form.low) rows.low = rows.high + 2 * form.Floats();
  }
  return rows;
}

}  // namespace portcullis::inference
