// Loading: open the files, read the configuration, and build the architecture while another thread
// hashes the weights. A cache of packed weights that names the files as they are is trusted until
// the digest is there; one that names others may still have their content, and waits for it.
#include "inference/arch/model.h"

#include <atomic>
#include <future>
#include <new>
#include <optional>

#include "inference/arch/deepseek.h"
#include "inference/arch/llama.h"
#include "inference/model/config.h"
#include "inference/model/digest.h"
#include "inference/model/pack_source.h"
#include "inference/model/weights.h"

namespace portcullis::inference {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;
constexpr auto kProgressInterval = std::chrono::milliseconds(100);

Result<ModelConfig> ReadConfig(const Weights& weights) {
  if (weights.gguf() != nullptr) return ConfigFromGguf(*weights.gguf());
  const auto path = weights.path() / "config.json";
  BOOST_OUTCOME_TRY(const auto text, ReadSmallFile(path, kMaxConfigBytes));
  return ConfigFromJson(text, "`" + path.string() + "`");
}

ModelInfo Describe(const Weights& weights, const ModelConfig& config) {
  ModelInfo info;
  const auto totals = weights.Count();
  info.architecture = config.type;
  info.name = config.name;
  if (info.name.empty()) {
    const auto path = std::filesystem::absolute(weights.path()).lexically_normal();
    const auto last = (path.has_filename() ? path : path.parent_path()).filename();
    info.name = (weights.gguf() != nullptr ? last.stem() : last).string();
  }
  info.weight_type = totals.main_type;
  info.parameters = totals.parameters;
  info.bytes = totals.bytes;
  info.vocab_size = config.vocab_size;
  info.context_length = config.context_length;
  info.sliding_window = config.sliding_window;
  info.hidden_size = config.hidden_size;
  info.layers = config.layers;
  info.path = weights.path();
  info.is_gguf = weights.gguf() != nullptr;
  return info;
}

// The digest of the weights, computed by threads of its own from construction on.
class Hashing {
 public:
  Hashing(const Weights& weights, int threads)
      : digest_(std::async(std::launch::async, [&weights, threads, this] {
          return WeightDigest(weights.files(), threads, done_);
        })) {}

  Result<std::string> Wait(int64_t bytes, const std::function<void(double)>& progress) {
    while (digest_.wait_for(kProgressInterval) != std::future_status::ready) {
      const double share = static_cast<double>(done_) / static_cast<double>(bytes);
      if (progress) progress(std::min(1.0, share));
    }
    return digest_.get();
  }

 private:
  std::atomic<int64_t> done_{0};
  std::future<Result<std::string>> digest_;
};

// Whether only the content can say that a cache belongs to the model: it was copied, or something
// was done to the files that changed none of them.
bool NeedsContent(const Weights& weights, const std::filesystem::path& folder) {
  if (folder.empty()) return false;
  const auto source = PackSourceOf(weights, "").identity;
  for (const auto& place : {folder, FolderOf(weights)}) {
    const auto found = ReadPackIdentity(PackCachePath(place, weights));
    if (found && found->files != source.files && found->content != Digest{}) return true;
    if (found) return false;
  }
  return false;
}

enum class Trust { kNames, kContent };

// Null: the cache was of other content than the names and times of the files promised.
Result<std::unique_ptr<Transformer>> LoadTrusting(Trust trust, const std::filesystem::path& path,
                                                  const LoadOptions& options) {
  BOOST_OUTCOME_TRY(auto weights, Weights::Open(path));
  BOOST_OUTCOME_TRY(const auto config, ReadConfig(weights));
  ModelInfo info = Describe(weights, config);
  std::unique_ptr<Transformer> model;
  if (config.architecture == Architecture::kDeepseek) {
    model = std::make_unique<Deepseek>(std::move(weights), config, options);
  } else {
    model = std::make_unique<Llama>(std::move(weights), config, options);
  }
  // What is hashed is what the model computes with; this ends before the model does.
  std::optional<Hashing> hashing;
  if (options.hash) hashing.emplace(model->weights(), Workers(options.threads).threads());
  const auto wait = [&]() -> Result<void> {
    if (hashing && info.sha256.empty()) {
      BOOST_OUTCOME_TRY(info.sha256, hashing->Wait(info.bytes, options.progress));
    }
    return boost::outcome_v2::success();
  };
  if (trust == Trust::kContent || NeedsContent(model->weights(), options.pack_cache)) {
    BOOST_OUTCOME_TRY(wait());
  }
  BOOST_OUTCOME_TRY(model->Initialize(info));
  BOOST_OUTCOME_TRY(wait());
  if (!model->SetDigest(info.sha256)) return nullptr;
  return model;
}

}  // namespace

KvType KvTypeOf(const LoadOptions& options) {
  return options.kv_type.value_or(options.precision == Precision::kFast ? KvType::kF16
                                                                        : KvType::kF32);
}

Result<std::unique_ptr<Model>> Model::Load(const std::filesystem::path& folder_or_gguf,
                                           const LoadOptions& options) {
  try {
    BOOST_OUTCOME_TRY(auto model, LoadTrusting(Trust::kNames, folder_or_gguf, options));
    if (model == nullptr) {
      BOOST_OUTCOME_TRY(model, LoadTrusting(Trust::kContent, folder_or_gguf, options));
    }
    if (model == nullptr) {
      return Error{Code::kBadFile, "`" + folder_or_gguf.string() +
                                       "`: its pack cache changes while it is read; remove it"};
    }
    if (options.progress) options.progress(1.0);
    return std::unique_ptr<Model>(std::move(model));
  } catch (const std::bad_alloc&) {
    return Error{Code::kOutOfMemory, "no memory to load `" + folder_or_gguf.string() + "`"};
  }
}

}  // namespace portcullis::inference
