// A GGUF file as the source of a conversion: metadata and names stay as they are.
#include "inference/model/convert_plan.h"
#include "inference/ops/dequantize.h"

namespace portcullis::inference::convert {

Result<Plan> PlanFromGguf(const Weights& weights) {
  const gguf::File& file = *weights.gguf();
  Plan plan;
  BOOST_OUTCOME_TRY(const auto config, ConfigOf(weights));
  plan.layers = config.layers;
  plan.tied = config.tied_embeddings;
  for (const auto key : file.keys()) {
    // The writer aligns in its own way and writes one file.
    if (key == "general.alignment" || key.starts_with("split.")) continue;
    const auto& value = *file.FindValue(key);
    if (value.type == gguf::ValueType::kArray) {
      plan.writer.SetArray(key, value.element, value.count, value.bytes);
    } else {
      plan.writer.SetScalar(key, value.type, value.bytes);
    }
  }
  for (const Tensor* tensor : weights.tensors()) {
    if (tensor->type == DataType::kOther) {
      return Error{Code::kUnsupported, "tensor `" + tensor->name + "` has the type " +
                                           tensor->type_name + ", which cannot be converted"};
    }
    const int64_t columns = tensor->shape.back();
    const auto layout = LayoutOf(tensor->type);
    const int64_t row_bytes = columns / layout.elements * layout.bytes;
    plan.tensors.push_back({tensor->name, tensor->shape,
                            [tensor, columns, row_bytes](int64_t row, float* out) {
                              DequantizeRow(tensor->type, tensor->bytes.data() + row * row_bytes,
                                            columns, out);
                            }});
  }
  return plan;
}

}  // namespace portcullis::inference::convert
