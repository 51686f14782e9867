// Loading: open the files, read the configuration, build the architecture, hash the weights beside.
#include "inference/arch/model.h"

#include <atomic>
#include <future>
#include <new>

#include "inference/arch/deepseek.h"
#include "inference/arch/llama.h"
#include "inference/model/config.h"
#include "inference/model/digest.h"
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
    info.name = (path.has_filename() ? path : path.parent_path()).stem().string();
  }
  info.weight_type = totals.main_type;
  info.parameters = totals.parameters;
  info.bytes = totals.bytes;
  info.vocab_size = config.vocab_size;
  info.context_length = config.context_length;
  info.hidden_size = config.hidden_size;
  info.layers = config.layers;
  info.path = weights.path();
  info.is_gguf = weights.gguf() != nullptr;
  return info;
}

// Hashes while it reports; the files' bytes are then also in the page cache for the first tokens.
Result<std::string> HashWithProgress(const Weights& weights, int64_t bytes, int threads,
                                     const std::function<void(double)>& progress) {
  std::atomic<int64_t> done{0};
  auto digest = std::async(std::launch::async, [&] {
    return WeightDigest(weights.files(), threads, done);
  });
  while (digest.wait_for(kProgressInterval) != std::future_status::ready) {
    if (progress) progress(std::min(1.0, static_cast<double>(done) / static_cast<double>(bytes)));
  }
  return digest.get();
}

}  // namespace

Result<std::unique_ptr<Model>> Model::Load(const std::filesystem::path& folder_or_gguf,
                                           const LoadOptions& options) {
  try {
    BOOST_OUTCOME_TRY(auto weights, Weights::Open(folder_or_gguf));
    BOOST_OUTCOME_TRY(const auto config, ReadConfig(weights));
    ModelInfo info = Describe(weights, config);
    if (options.hash) {
      const int threads = Workers(options.threads).threads();
      BOOST_OUTCOME_TRY(info.sha256,
                        HashWithProgress(weights, info.bytes, threads, options.progress));
    }
    std::unique_ptr<Transformer> model;
    if (config.architecture == Architecture::kDeepseek) {
      model = std::make_unique<Deepseek>(std::move(weights), config, options);
    } else {
      model = std::make_unique<Llama>(std::move(weights), config, options);
    }
    BOOST_OUTCOME_TRY(model->Initialize(std::move(info)));
    if (options.progress) options.progress(1.0);
    return model;
  } catch (const std::bad_alloc&) {
    return Error{Code::kOutOfMemory, "no memory to load `" + folder_or_gguf.string() + "`"};
  }
}

}  // namespace portcullis::inference
