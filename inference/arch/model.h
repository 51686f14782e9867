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
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "inference/error.h"
#include "inference/model/gguf.h"
#include "inference/ops/kv_block.h"
#include "inference/ops/precision.h"

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
  int64_t sliding_window = 0;  // what the context ends at; 0: at the model's own length
  int64_t hidden_size = 0;
  int64_t layers = 0;
  int64_t parameters = 0;
  int64_t bytes = 0;           // of weights in the file
  std::filesystem::path path;
  bool is_gguf = false;
};

// What is done with packed weights (ops/pack_store.h) that were not in the cache yet.
enum class PackSaving {
  kWorthwhile,  // kept, where packing them takes noticeable time
  kAlways,
  kNever,
};

// What became of them.
struct PackReport {
  std::filesystem::path used;  // the cache that was used; empty: none
  std::filesystem::path file;  // the cache that the next start looks for first; empty: none is kept
  int64_t matrices = 0;
  int64_t cached = 0;          // of them taken from a cache
  int64_t bytes = 0;
  bool saved = false;          // written by this start
};

struct LoadOptions {
  int threads = 0;  // 0: one per core this process may run on
  std::function<void(double fraction)> progress = {};  // called on the loading thread
  bool hash = true;
  int64_t kv_bytes = 0;  // for the keys and values of all sequences; 0: as the machine has
  // How keys and values are kept. Absent: f16 with Precision::kFast, f32 with kExact.
  std::optional<KvType> kv_type = {};
  Precision precision = Precision::kExact;
  bool draft_head = false;  // load the multi-token prediction layer where the files have one
  // Folder for packed weights; one beside the model is used too. Empty: neither.
  std::filesystem::path pack_cache = {};
  PackSaving pack_saving = PackSaving::kWorthwhile;
};

KvType KvTypeOf(const LoadOptions& options);

// What one conversation has computed so far. Made by Model::NewSequence. Its keys and values lie in
// pages of the model's pool, so that room can be taken late and a prefix can be shared.
class Sequence {
 public:
  virtual ~Sequence() = default;
  virtual int64_t length() const = 0;    // tokens computed
  virtual int64_t capacity() const = 0;  // tokens that fit the pages it holds
  // Forgets all tokens from `length` on and gives back every page that is then empty; a length at
  // or beyond length() changes nothing.
  virtual void Truncate(int64_t length) = 0;
  // Takes pages until `tokens` fit in total. False: too few are free, or the context is shorter;
  // nothing changed.
  virtual bool Reserve(int64_t tokens) = 0;
  // Only while empty: starts as the first `tokens` (at most its length) of `other`, a sequence of
  // the same model. Full pages are shared, a last partial one is copied, pages held before are
  // given back. False: no page is free, or the arguments make no sense; nothing changed.
  virtual bool Adopt(const Sequence& other, int64_t tokens) = 0;
};

enum class LogitRows { kNone, kLast, kAll };

// Prompt rows come many at once and are bound by computation, generated ones (sampled tokens and
// drafts to be verified) by memory. The two may use different arithmetic for quantised weights; a
// row's numbers depend on its role, never on what is computed beside it or in how many chunks.
enum class TokenRole { kPrompt, kGenerated };

// What Step::embedding receives of the hidden states after the final norm.
enum class Pooling {
  kLast,  // that of the step's last token
  kSum,   // all of the step are added, token by token, to what is there (the caller divides)
};

// Appends `tokens` (at least one) to `sequence`, which has room for them.
struct Step {
  Sequence* sequence = nullptr;
  std::span<const int32_t> tokens;
  LogitRows rows = LogitRows::kLast;
  TokenRole role = TokenRole::kPrompt;
  std::span<float> embedding = {};  // empty, or hidden_size values
  Pooling pooling = Pooling::kLast;
};

// A draft for one sequence: `last` was sampled after what the sequence holds and is not computed
// yet; `tokens` receives at most `count` likely successors.
struct DraftStep {
  Sequence* sequence = nullptr;
  int32_t last = 0;
  int64_t count = 0;
  std::vector<int32_t> tokens = {};
};

class Model {
 public:
  static Result<std::unique_ptr<Model>> Load(const std::filesystem::path& folder_or_gguf,
                                             const LoadOptions& options);
  virtual ~Model() = default;

  virtual const ModelInfo& info() const = 0;
  // The open GGUF file, for its vocabulary; null for a folder.
  virtual const gguf::File* gguf() const = 0;

  virtual PackReport packed() const { return {}; }
  // Whether what computes is what info().sha256 names: packed weights from a cache are those that
  // the files give (the first call packs all of them again), and the files are unchanged since they
  // were hashed. kBadFile says what differs. May run beside everything else, on one thread.
  virtual Result<void> CheckIntegrity(const std::stop_token&) {
    return boost::outcome_v2::success();
  }

  // An empty sequence with pages for `capacity_tokens`; 0: it grows by Reserve. Beyond
  // info().context_length: kContextLength; too few free pages: kOutOfMemory.
  virtual Result<std::unique_ptr<Sequence>> NewSequence(int64_t capacity_tokens) = 0;
  // Of the pages that many tokens take, none of them shared.
  virtual int64_t SequenceBytes(int64_t capacity_tokens) const = 0;
  virtual int64_t page_tokens() const = 0;
  virtual int64_t PageBytes() const = 0;
  // The largest number where LoadOptions::kv_bytes set no budget.
  virtual int64_t free_pages() const = 0;
  virtual int64_t total_pages() const = 0;

  // One forward pass over all steps; a sequence appears at most once. `logits` takes rows ×
  // vocab_size floats, row-major, in step order, and must have exactly that size.
  // Arguments are checked before anything changes: a step without Reserve'd room is refused with
  // kContextLength. kBadTensor: the logits are not finite, so the weights are damaged and the
  // sequences of this call are worthless.
  virtual Result<void> Forward(std::span<const Step> steps, std::span<float> logits) = 0;

  // Whether Propose can draft: the files have a multi-token prediction layer and
  // LoadOptions::draft_head asked for it.
  virtual bool has_draft_head() const = 0;
  // Drafts greedily; a sequence appears at most once. Drafts are guesses: they depend on what was
  // computed beside them, and fewer than asked for (or none) come where room or state is missing.
  // Sequences keep their length.
  virtual Result<void> Propose(std::span<DraftStep> steps) = 0;
};

}  // namespace portcullis::inference
