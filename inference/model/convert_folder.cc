// A Hugging Face folder as the source of a conversion. GGUF differs in names, in the order of
// Llama's query and key rows (the two halves of a rotated head are interleaved), in experts (one
// tensor for all of a layer) and in DeepSeek's key-value matrix (split by head, the keys
// transposed).
#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <numbers>

#include "inference/model/convert_plan.h"
#include "inference/ops/dequantize.h"
#include "inference/sample/defaults.h"

namespace portcullis::inference::convert {
namespace {

// The row of the folder's matrix that is GGUF's row `row`: within a head of `size` rows the pair
// (2i, 2i + 1) were rows i and i + size / 2. Size 0: the order is the same.
int64_t SourceRow(int64_t row, int64_t size) {
  if (size == 0) return row;
  const int64_t within = row % size;
  return row - within + within / 2 + (within % 2) * (size / 2);
}

class FolderPlanner {
 public:
  FolderPlanner(const Weights& weights, const ModelConfig& config, Plan& plan)
      : weights_(weights), config_(config), plan_(plan),
        latent_(config.architecture == Architecture::kDeepseek) {}

  Result<void> Run() {
    const int64_t hidden = config_.hidden_size;
    BOOST_OUTCOME_TRY(AddMatrix(Role::kEmbedding, 0, config_.vocab_size, hidden));
    BOOST_OUTCOME_TRY(AddVector(Role::kOutputNorm, 0, hidden));
    if (!config_.tied_embeddings) {
      BOOST_OUTCOME_TRY(AddMatrix(Role::kOutput, 0, config_.vocab_size, hidden));
    }
    AddRopeFactors();
    for (int64_t layer = 0; layer < config_.layers + config_.draft_layers; ++layer) {
      BOOST_OUTCOME_TRY(AddVector(Role::kAttentionNorm, layer, hidden));
      BOOST_OUTCOME_TRY(latent_ ? AddLatentAttention(layer) : AddAttention(layer));
      BOOST_OUTCOME_TRY(AddVector(Role::kFeedForwardNorm, layer, hidden));
      if (config_.moe.experts > 0 && layer >= config_.moe.dense_layers) {
        BOOST_OUTCOME_TRY(AddExperts(layer));
      } else {
        BOOST_OUTCOME_TRY(AddFeedForward(layer, Role::kGate, Role::kUp, Role::kDown,
                                         config_.intermediate_size));
      }
      if (layer >= config_.layers) {
        BOOST_OUTCOME_TRY(AddDraftHead(layer));
      }
    }
    return boost::outcome_v2::success();
  }

 private:
  void Add(Role role, int64_t layer, std::vector<int64_t> shape,
           std::function<void(int64_t, float*)> read) {
    plan_.tensors.push_back({Weights::GgufName(role, layer), std::move(shape), std::move(read)});
  }

  Result<void> AddMatrix(Role role, int64_t layer, int64_t rows, int64_t columns) {
    BOOST_OUTCOME_TRY(const auto matrix, weights_.GetMatrix(role, layer, rows, columns));
    Add(role, layer, {rows, columns}, [matrix](int64_t row, float* out) {
      DequantizePart(matrix, row, 0, matrix.columns, out);
    });
    return boost::outcome_v2::success();
  }

  void AddValues(Role role, int64_t layer, std::vector<float> values) {
    const auto size = static_cast<int64_t>(values.size());
    Add(role, layer, {size},
        [values = std::move(values)](int64_t, float* out) { std::ranges::copy(values, out); });
  }

  Result<void> AddVector(Role role, int64_t layer, int64_t size) {
    BOOST_OUTCOME_TRY(auto values, weights_.GetVector(role, layer, size));
    AddValues(role, layer, std::move(values));
    return boost::outcome_v2::success();
  }

  Result<void> AddRotated(Role role, Role bias, int64_t layer, int64_t rows) {
    const int64_t hidden = config_.hidden_size;
    BOOST_OUTCOME_TRY(const auto matrix, weights_.GetMatrix(role, layer, rows, hidden));
    const bool reorder = config_.architecture == Architecture::kLlama;
    const int64_t head = reorder ? config_.head_dimensions : 0;
    Add(role, layer, {rows, hidden}, [matrix, head](int64_t row, float* out) {
      DequantizePart(matrix, SourceRow(row, head), 0, matrix.columns, out);
    });
    if (!weights_.Has(bias, layer)) return boost::outcome_v2::success();
    BOOST_OUTCOME_TRY(const auto values, weights_.GetVector(bias, layer, rows));
    std::vector<float> reordered(values.size());
    for (int64_t row = 0; row < rows; ++row) reordered[row] = values[SourceRow(row, head)];
    AddValues(bias, layer, std::move(reordered));
    return boost::outcome_v2::success();
  }

  Result<void> AddOptionalVector(Role role, int64_t layer, int64_t size) {
    return weights_.Has(role, layer) ? AddVector(role, layer, size) : boost::outcome_v2::success();
  }

  Result<void> AddAttention(int64_t layer) {
    const int64_t queries = config_.heads * config_.head_dimensions;
    const int64_t keys = config_.kv_heads * config_.head_dimensions;
    BOOST_OUTCOME_TRY(AddRotated(Role::kQuery, Role::kQueryBias, layer, queries));
    BOOST_OUTCOME_TRY(AddRotated(Role::kKey, Role::kKeyBias, layer, keys));
    BOOST_OUTCOME_TRY(AddMatrix(Role::kValue, layer, keys, config_.hidden_size));
    BOOST_OUTCOME_TRY(AddOptionalVector(Role::kValueBias, layer, keys));
    BOOST_OUTCOME_TRY(AddOptionalVector(Role::kQueryNorm, layer, config_.head_dimensions));
    BOOST_OUTCOME_TRY(AddOptionalVector(Role::kKeyNorm, layer, config_.head_dimensions));
    BOOST_OUTCOME_TRY(AddOptionalVector(Role::kAttentionOutputBias, layer, config_.hidden_size));
    return AddMatrix(Role::kAttentionOutput, layer, config_.hidden_size, queries);
  }

  Result<void> AddLatentAttention(int64_t layer) {
    const auto& mla = config_.mla;
    const int64_t hidden = config_.hidden_size;
    const int64_t queries = config_.heads * config_.head_dimensions;
    if (mla.q_lora_rank > 0) {
      BOOST_OUTCOME_TRY(AddMatrix(Role::kQueryDown, layer, mla.q_lora_rank, hidden));
      BOOST_OUTCOME_TRY(AddVector(Role::kQueryDownNorm, layer, mla.q_lora_rank));
      BOOST_OUTCOME_TRY(AddMatrix(Role::kQueryUp, layer, queries, mla.q_lora_rank));
    } else {
      BOOST_OUTCOME_TRY(AddMatrix(Role::kQuery, layer, queries, hidden));
    }
    BOOST_OUTCOME_TRY(
        AddMatrix(Role::kKvDown, layer, mla.kv_lora_rank + mla.rope_dimensions, hidden));
    BOOST_OUTCOME_TRY(AddVector(Role::kKvDownNorm, layer, mla.kv_lora_rank));
    BOOST_OUTCOME_TRY(AddKeysAndValues(layer));
    return AddMatrix(Role::kAttentionOutput, layer, hidden, config_.heads * mla.value_dimensions);
  }

  Result<void> AddKeysAndValues(int64_t layer) {
    const int64_t nope = config_.mla.nope_dimensions;
    const int64_t values = config_.mla.value_dimensions;
    const int64_t rank = config_.mla.kv_lora_rank;
    const int64_t heads = config_.heads;
    BOOST_OUTCOME_TRY(const auto both,
                      weights_.GetMatrix(Role::kKvUp, layer, heads * (nope + values), rank));
    // Columns of the stored matrix become rows: turned round once, on first use.
    struct Turned {
      std::once_flag once;
      std::vector<float> rows;  // [heads][rank][nope]
    };
    const auto turned = std::make_shared<Turned>();
    Add(Role::kKeyUp, layer, {heads, rank, nope},
        [both, turned, nope, values, rank, heads](int64_t row, float* out) {
          std::call_once(turned->once, [&] {
            turned->rows.resize(static_cast<size_t>(heads * rank * nope));
            std::vector<float> line(static_cast<size_t>(rank));
            for (int64_t i = 0; i < heads * nope; ++i) {
              const int64_t head = i / nope;
              DequantizePart(both, head * (nope + values) + i % nope, 0, rank, line.data());
              for (int64_t k = 0; k < rank; ++k) {
                turned->rows[(head * rank + k) * nope + i % nope] = line[k];
              }
            }
          });
          std::copy_n(turned->rows.begin() + row * nope, nope, out);
        });
    Add(Role::kValueUp, layer, {heads, values, rank},
        [both, nope, values, rank](int64_t row, float* out) {
          DequantizePart(both, row / values * (nope + values) + nope + row % values, 0, rank, out);
        });
    return boost::outcome_v2::success();
  }

  Result<void> AddFeedForward(int64_t layer, Role gate, Role up, Role down, int64_t inner) {
    BOOST_OUTCOME_TRY(AddMatrix(gate, layer, inner, config_.hidden_size));
    BOOST_OUTCOME_TRY(AddMatrix(up, layer, inner, config_.hidden_size));
    return AddMatrix(down, layer, config_.hidden_size, inner);
  }

  Result<void> AddStacked(Role role, int64_t layer, int64_t rows, int64_t columns) {
    const int64_t count = config_.moe.experts;
    std::vector<Matrix> experts;
    for (int64_t i = 0; i < count; ++i) {
      BOOST_OUTCOME_TRY(const auto matrix,
                        weights_.GetMatrix(role, layer, rows, columns, {i, count}));
      experts.push_back(matrix);
    }
    Add(role, layer, {count, rows, columns},
        [experts = std::move(experts), rows, columns](int64_t row, float* out) {
          DequantizePart(experts[row / rows], row % rows, 0, columns, out);
        });
    return boost::outcome_v2::success();
  }

  Result<void> AddExperts(int64_t layer) {
    const auto& moe = config_.moe;
    const int64_t hidden = config_.hidden_size;
    BOOST_OUTCOME_TRY(AddMatrix(Role::kRouter, layer, moe.experts, hidden));
    if (moe.correction_bias) {
      BOOST_OUTCOME_TRY(AddVector(Role::kRouterBias, layer, moe.experts));
    }
    BOOST_OUTCOME_TRY(AddStacked(Role::kExpertGate, layer, moe.intermediate_size, hidden));
    BOOST_OUTCOME_TRY(AddStacked(Role::kExpertUp, layer, moe.intermediate_size, hidden));
    BOOST_OUTCOME_TRY(AddStacked(Role::kExpertDown, layer, hidden, moe.intermediate_size));
    if (moe.shared_experts == 0) return boost::outcome_v2::success();
    return AddFeedForward(layer, Role::kSharedGate, Role::kSharedUp, Role::kSharedDown,
                          moe.shared_experts * moe.intermediate_size);
  }

  // What a multi-token prediction layer has besides a layer; embedding and output may be shared.
  Result<void> AddDraftHead(int64_t layer) {
    const int64_t hidden = config_.hidden_size;
    BOOST_OUTCOME_TRY(AddMatrix(Role::kDraftProjection, layer, hidden, 2 * hidden));
    BOOST_OUTCOME_TRY(AddVector(Role::kDraftEmbeddingNorm, layer, hidden));
    BOOST_OUTCOME_TRY(AddVector(Role::kDraftHiddenNorm, layer, hidden));
    BOOST_OUTCOME_TRY(AddOptionalVector(Role::kDraftNorm, layer, hidden));
    for (const Role role : {Role::kDraftEmbedding, Role::kDraftOutput}) {
      if (!weights_.Has(role, layer)) continue;
      BOOST_OUTCOME_TRY(AddMatrix(role, layer, config_.vocab_size, hidden));
    }
    return boost::outcome_v2::success();
  }

  // GGUF has no metadata for llama3's scaling: it is written out as one factor for each frequency.
  void AddRopeFactors() {
    const auto& rope = config_.rope;
    if (rope.scaling != RopeScaling::kLlama3) return;
    std::vector<float> factors;
    const auto context = static_cast<double>(rope.original_context);
    for (int64_t i = 0; i < rope.dimensions / 2; ++i) {
      const double wavelength =
          2 * std::numbers::pi *
          std::pow(rope.theta, 2.0 * static_cast<double>(i) / static_cast<double>(rope.dimensions));
      double share = (context / wavelength - rope.low_frequency_factor) /
                     (rope.high_frequency_factor - rope.low_frequency_factor);
      share = std::clamp(share, 0.0, 1.0);
      factors.push_back(static_cast<float>(1.0 / ((1 - share) / rope.factor + share)));
    }
    AddValues(Role::kRopeFactors, 0, std::move(factors));
  }

  const Weights& weights_;
  const ModelConfig& config_;
  Plan& plan_;
  bool latent_;
};

}  // namespace

Result<Plan> PlanFromFolder(const Weights& weights) {
  BOOST_OUTCOME_TRY(auto config, ConfigOf(weights));
  // Checkpoints often come without the layers that their configuration counts.
  if (!weights.Has(Role::kDraftProjection, config.layers)) config.draft_layers = 0;
  Plan plan;
  plan.layers = config.layers;
  plan.tied = config.tied_embeddings;
  BOOST_OUTCOME_TRY(SetConfig(weights, config, plan));
  BOOST_OUTCOME_TRY(const auto sampling, SamplingDefaultsOfFolder(weights.path()));
  WriteSamplingDefaults(sampling, plan.writer);
  std::error_code ignored;
  if (std::filesystem::exists(weights.path() / "tokenizer.json", ignored)) {
    BOOST_OUTCOME_TRY(SetTokenizer(weights.path(), config.vocab_size, plan));
  } else {
    plan.writer.SetString("tokenizer.ggml.model", "no_vocab");
    plan.notes = "the folder has no tokenizer.json, so that the file has no vocabulary";
  }
  BOOST_OUTCOME_TRY(FolderPlanner(weights, config, plan).Run());
  return plan;
}

}  // namespace portcullis::inference::convert
