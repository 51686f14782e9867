// Which type each tensor of a model gets when it is quantised. A mix has a main type; vectors, the
// router and its bias stay F32, and the `_M` mixes give more bits where errors cost most: the
// output layer, and values and down projections of the first and last eighth of the layers and of
// every third between. The mixes and their numbers are those that GGUF's users know. Immutable.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "inference/error.h"
#include "inference/model/tensor.h"

namespace portcullis::inference {

class QuantMix {
 public:
  // "F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0"; also "Q4_K" and "Q5_K" for
  // the `_M` mixes, and lower case. kInvalidArgument lists the names.
  static Result<QuantMix> Named(std::string_view name);
  static std::string Names();

  std::string_view name() const { return name_; }
  DataType main_type() const { return main_; }
  uint32_t gguf_file_type() const { return file_type_; }  // general.file_type

  // `name` is GGUF's, `shape` row-major. `tied`: token_embd.weight is the output layer as well.
  // Rows that are no whole number of the type's blocks get a type of at least as many bits.
  DataType TypeFor(std::string_view name, std::span<const int64_t> shape, int64_t layers,
                   bool tied) const;

 private:
  QuantMix(std::string_view name, DataType main, DataType more, uint32_t file_type)
      : name_(name), main_(main), more_(more), file_type_(file_type) {}

  std::string_view name_;
  DataType main_;
  DataType more_;  // where more bits are given; main_ where the mix has no such places
  uint32_t file_type_;
};

}  // namespace portcullis::inference
