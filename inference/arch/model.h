// A language model that is ready to compute: start reading the engine here.
// Model::Load opens a Hugging Face folder or a GGUF file, checks every size, and gives the
// architecture's forward pass (llama.cc, deepseek.cc). Sequences hold the keys and values of what
// was computed; one Forward advances several of them, prompts and single tokens mixed.
// Threading: one thread at a time may use a Model and its Sequences; the model spreads the work
// over its own threads. A Sequence must not outlive its Model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "inference/error.h"
#include "inference/model/gguf.h"

namespace portcullis::inference {

struct ModelInfo {
  std::string architecture;  // "llama", "qwen2", "qwen3", "deepseek_v3" and so on
  std::string name;          // from the file's metadata, else the file or folder name
  std::string weight_type;   // the type that holds most of the weights: "F16", "Q4_0"
  // Hex SHA-256 of the weight file. Of a sharded model: SHA-256 of its `sha256sum` lines, sorted by
  // name. Empty where LoadOptions::hash was off.
  std::string sha256;
  int64_t vocab_size = 0;
  int64_t context_length = 0;
  int64_t hidden_size = 0;
  int64_t layers = 0;
  int64_t parameters = 0;
  int64_t bytes = 0;           // of weights in the file
  std::filesystem::path path;
  bool is_gguf = false;
};

struct LoadOptions {
  int threads = 0;  // 0: one per core this process may run on
  std::function<void(double fraction)> progress = {};  // called on the loading thread
  bool hash = true;
};

// What one conversation has computed so far. Made by Model::NewSequence.
class Sequence {
 public:
  virtual ~Sequence() = default;
  virtual int64_t length() const = 0;    // tokens computed
  virtual int64_t capacity() const = 0;  // tokens that fit
  // Forgets all tokens from `length` on; a length at or beyond length() changes nothing.
  virtual void Truncate(int64_t length) = 0;
};

enum class LogitRows { kNone, kLast, kAll };

// Appends `tokens` (at least one) to `sequence`.
struct Step {
  Sequence* sequence = nullptr;
  std::span<const int32_t> tokens;
  LogitRows rows = LogitRows::kLast;
};

class Model {
 public:
  static Result<std::unique_ptr<Model>> Load(const std::filesystem::path& folder_or_gguf,
                                             const LoadOptions& options);
  virtual ~Model() = default;

  virtual const ModelInfo& info() const = 0;
  // The open GGUF file, for its vocabulary; null for a folder.
  virtual const gguf::File* gguf() const = 0;

  // A capacity beyond info().context_length is refused (kContextLength).
  virtual Result<std::unique_ptr<Sequence>> NewSequence(int64_t capacity_tokens) = 0;
  virtual int64_t SequenceBytes(int64_t capacity_tokens) const = 0;

  // One forward pass over all steps; a sequence appears at most once. `logits` takes rows ×
  // vocab_size floats, row-major, in step order, and must have exactly that size.
  // Arguments are checked before anything changes. kBadTensor: the logits are not finite, so the
  // weights are damaged and the sequences of this call are worthless.
  virtual Result<void> Forward(std::span<const Step> steps, std::span<float> logits) = 0;
};

}  // namespace portcullis::inference
