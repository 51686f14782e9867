#include "tests/inference/reference.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace portcullis::inference {
namespace {

using Vector = std::vector<double>;

class Reference {
 public:
  explicit Reference(const TinyModel& model) : model_(model), config_(model.config) {}

  // Final hidden states, normalised.
  std::vector<Vector> Hidden(std::span<const int32_t> tokens) {
    std::vector<Vector> states;
    for (size_t position = 0; position < tokens.size(); ++position) {
      Vector x = Row("model.embed_tokens.weight", tokens[position]);
      for (int64_t layer = 0; layer < config_.layers; ++layer) Block(x, layer, position);
      states.push_back(Norm(x, "model.norm.weight"));
    }
    return states;
  }

  std::vector<float> Logits(const Vector& hidden) const {
    const Vector logits = Multiply(
        config_.tied_embeddings ? "model.embed_tokens.weight" : "lm_head.weight", hidden);
    return {logits.begin(), logits.end()};
  }

  // One position of the prediction layer: the hidden state of `position` and the token after it
  // give the state that predicts the token two after.
  Vector Predict(const Vector& hidden, int32_t next, size_t position) {
    const std::string prefix = "model.layers." + std::to_string(config_.layers) + ".";
    Vector both = Norm(Row("model.embed_tokens.weight", next), prefix + "enorm.weight");
    const Vector state = Norm(hidden, prefix + "hnorm.weight");
    both.insert(both.end(), state.begin(), state.end());
    Vector x = Multiply(prefix + "eh_proj.weight", both);
    Block(x, config_.layers, position);
    return Norm(x, prefix + "shared_head.norm.weight");
  }

 private:
  void Block(Vector& x, int64_t layer, size_t position) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    const Vector normed = Norm(x, prefix + "input_layernorm.weight");
    const bool latent = config_.architecture == Architecture::kDeepseek;
    Add(x, latent ? LatentAttention(prefix, layer, normed, position)
                  : GroupedAttention(prefix, layer, normed, position));
    const Vector inner = Norm(x, prefix + "post_attention_layernorm.weight");
    const bool dense = config_.moe.experts == 0 || layer < config_.moe.dense_layers;
    Add(x, dense ? FeedForward(prefix + "mlp.", inner) : Mixture(prefix + "mlp.", inner));
  }

  const TinyTensor& Get(const std::string& name) const { return model_.tensors.at(name); }

  Vector Row(const std::string& name, int64_t row) const {
    const auto& tensor = Get(name);
    const auto* begin = tensor.values.data() + row * tensor.shape[1];
    return {begin, begin + tensor.shape[1]};
  }

  Vector Multiply(const std::string& name, const Vector& x) const {
    const auto& tensor = Get(name);
    Vector y(static_cast<size_t>(tensor.shape[0]));
    for (size_t n = 0; n < y.size(); ++n) {
      for (size_t k = 0; k < x.size(); ++k) y[n] += double{tensor.values[n * x.size() + k]} * x[k];
    }
    return y;
  }

  Vector MultiplyAddBias(const std::string& prefix, const Vector& x) const {
    Vector y = Multiply(prefix + ".weight", x);
    const auto bias = model_.tensors.find(prefix + ".bias");
    for (size_t i = 0; bias != model_.tensors.end() && i < y.size(); ++i) {
      y[i] += bias->second.values[i];
    }
    return y;
  }

  Vector Norm(const Vector& x, const std::string& name) const {
    const double square = std::inner_product(x.begin(), x.end(), x.begin(), 0.0);
    const double factor =
        1.0 / std::sqrt(square / static_cast<double>(x.size()) + config_.norm_epsilon);
    Vector y = x;
    for (size_t i = 0; i < y.size(); ++i) y[i] *= factor * Get(name).values[i];
    return y;
  }

  static void Add(Vector& x, const Vector& y) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }

  static Vector Slice(const Vector& x, int64_t begin, int64_t count) {
    return {x.begin() + begin, x.begin() + begin + count};
  }

  // Turns per position of a pair, after the context extension.
  double Frequency(size_t pair, size_t half) const {
    const auto& rope = config_.rope;
    const double dimensions = 2.0 * static_cast<double>(half);
    const double plain =
        std::pow(rope.theta, -2.0 * static_cast<double>(pair) / dimensions);
    const auto original = static_cast<double>(rope.original_context);
    const double full_turn = 2.0 * std::numbers::pi;
    if (rope.scaling == RopeScaling::kLinear) return plain / rope.factor;
    if (rope.scaling == RopeScaling::kLlama3) {
      const double wavelength = full_turn / plain;
      if (wavelength < original / rope.high_frequency_factor) return plain;
      if (wavelength > original / rope.low_frequency_factor) return plain / rope.factor;
      const double smooth = (original / wavelength - rope.low_frequency_factor) /
                            (rope.high_frequency_factor - rope.low_frequency_factor);
      return (1 - smooth) * plain / rope.factor + smooth * plain;
    }
    if (rope.scaling == RopeScaling::kYarn) {
      const auto pair_of = [&](double turns) {
        return dimensions * std::log(original / (turns * full_turn)) / (2 * std::log(rope.theta));
      };
      const double low = std::max(std::floor(pair_of(rope.beta_fast)), 0.0);
      const double high = std::min(std::ceil(pair_of(rope.beta_slow)), dimensions - 1);
      const double ramp = std::clamp((static_cast<double>(pair) - low) / (high - low), 0.0, 1.0);
      return plain / rope.factor * ramp + plain * (1 - ramp);
    }
    return plain;
  }

  double Mscale(double mscale) const { return 0.1 * mscale * std::log(config_.rope.factor) + 1; }

  double Magnitude() const {
    if (config_.rope.scaling != RopeScaling::kYarn) return 1;
    if (model_.mscale == 0) return Mscale(1);
    return Mscale(model_.mscale) / Mscale(model_.mscale_all);
  }

  Vector Rotate(Vector x, size_t position, bool interleaved) const {
    const size_t half = x.size() / 2;
    for (size_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(position) * Frequency(i, half);
      double& a = x[interleaved ? 2 * i : i];
      double& b = x[interleaved ? 2 * i + 1 : i + half];
      const double turned = a * std::cos(angle) - b * std::sin(angle);
      b = (a * std::sin(angle) + b * std::cos(angle)) * Magnitude();
      a = turned * Magnitude();
    }
    return x;
  }

  // One head over all cached positions.
  Vector Attend(const Vector& query, const std::vector<Vector>& keys,
                const std::vector<Vector>& values) const {
    Vector weights(keys.size());
    double sum = 0;
    double scale = 1.0 / std::sqrt(static_cast<double>(query.size()));
    if (config_.rope.scaling == RopeScaling::kYarn && model_.mscale_all != 0) {
      scale *= Mscale(model_.mscale_all) * Mscale(model_.mscale_all);
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      const double score = std::inner_product(query.begin(), query.end(), keys[i].begin(), 0.0);
      sum += weights[i] = std::exp(score * scale);
    }
    Vector out(values[0].size());
    for (size_t i = 0; i < keys.size(); ++i) {
      for (size_t j = 0; j < out.size(); ++j) out[j] += weights[i] / sum * values[i][j];
    }
    return out;
  }

  Vector GroupedAttention(const std::string& prefix, int64_t layer, const Vector& x,
                          size_t position) {
    const int64_t size = config_.head_dimensions;
    const std::string self = prefix + "self_attn.";
    const Vector query = MultiplyAddBias(self + "q_proj", x);
    const Vector key = MultiplyAddBias(self + "k_proj", x);
    const Vector value = MultiplyAddBias(self + "v_proj", x);
    for (int64_t head = 0; head < config_.kv_heads; ++head) {
      Vector one = Slice(key, head * size, size);
      if (config_.head_norm) one = Norm(one, self + "k_norm.weight");
      keys_[{layer, head}].push_back(Rotate(one, position, false));
      values_[{layer, head}].push_back(Slice(value, head * size, size));
    }
    Vector joined;
    for (int64_t head = 0; head < config_.heads; ++head) {
      Vector one = Slice(query, head * size, size);
      if (config_.head_norm) one = Norm(one, self + "q_norm.weight");
      const int64_t shared = head / (config_.heads / config_.kv_heads);
      const Vector out = Attend(Rotate(one, position, false), keys_[{layer, shared}],
                                values_[{layer, shared}]);
      joined.insert(joined.end(), out.begin(), out.end());
    }
    return MultiplyAddBias(self + "o_proj", joined);
  }

  Vector LatentAttention(const std::string& prefix, int64_t layer, const Vector& x,
                         size_t position) {
    const auto& mla = config_.mla;
    const std::string self = prefix + "self_attn.";
    const int64_t key_size = mla.nope_dimensions + mla.rope_dimensions;
    Vector query;
    if (mla.q_lora_rank > 0) {
      const Vector down = Multiply(self + "q_a_proj.weight", x);
      query = Multiply(self + "q_b_proj.weight", Norm(down, self + "q_a_layernorm.weight"));
    } else {
      query = Multiply(self + "q_proj.weight", x);
    }
    const Vector down = Multiply(self + "kv_a_proj_with_mqa.weight", x);
    const Vector latent = Norm(Slice(down, 0, mla.kv_lora_rank), self + "kv_a_layernorm.weight");
    const Vector rotated =
        Rotate(Slice(down, mla.kv_lora_rank, mla.rope_dimensions), position, true);
    const Vector up = Multiply(self + "kv_b_proj.weight", latent);
    Vector joined;
    for (int64_t head = 0; head < config_.heads; ++head) {
      const int64_t begin = head * (mla.nope_dimensions + mla.value_dimensions);
      Vector key = Slice(up, begin, mla.nope_dimensions);
      key.insert(key.end(), rotated.begin(), rotated.end());
      keys_[{layer, head}].push_back(key);
      values_[{layer, head}].push_back(
          Slice(up, begin + mla.nope_dimensions, mla.value_dimensions));
      Vector one = Slice(query, head * key_size, mla.nope_dimensions);
      const Vector turned = Rotate(
          Slice(query, head * key_size + mla.nope_dimensions, mla.rope_dimensions), position, true);
      one.insert(one.end(), turned.begin(), turned.end());
      const Vector out = Attend(one, keys_[{layer, head}], values_[{layer, head}]);
      joined.insert(joined.end(), out.begin(), out.end());
    }
    return Multiply(self + "o_proj.weight", joined);
  }

  Vector FeedForward(const std::string& prefix, const Vector& x) const {
    Vector gate = Multiply(prefix + "gate_proj.weight", x);
    const Vector up = Multiply(prefix + "up_proj.weight", x);
    for (size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1.0 + std::exp(-gate[i]));
    return Multiply(prefix + "down_proj.weight", gate);
  }

  Vector Mixture(const std::string& prefix, const Vector& x) const {
    const auto& moe = config_.moe;
    Vector scores = Multiply(prefix + "gate.weight", x);
    double sum = 0;
    for (const double score : scores) sum += std::exp(score);
    for (double& score : scores) {
      score = moe.sigmoid ? 1.0 / (1.0 + std::exp(-score)) : std::exp(score) / sum;
    }
    Vector ranking = scores;
    if (moe.correction_bias) {
      const auto& bias = Get(prefix + "gate.e_score_correction_bias").values;
      for (size_t i = 0; i < ranking.size(); ++i) ranking[i] += bias[i];
    }
    // Groups in order of their two best experts' sum (with a bias) or of their best.
    const int64_t size = moe.experts / moe.groups;
    std::vector<std::pair<double, int64_t>> groups;
    for (int64_t group = 0; group < moe.groups; ++group) {
      Vector own = Slice(ranking, group * size, size);
      std::ranges::sort(own, std::greater());
      groups.push_back({own[0] + (moe.correction_bias && size > 1 ? own[1] : 0.0), group});
    }
    std::ranges::sort(groups, std::greater());
    std::vector<std::pair<double, int64_t>> experts;
    for (int64_t i = 0; i < moe.groups_used; ++i) {
      for (int64_t j = 0; j < size; ++j) {
        const int64_t expert = groups[i].second * size + j;
        experts.push_back({ranking[expert], expert});
      }
    }
    std::ranges::sort(experts, std::greater());
    experts.resize(static_cast<size_t>(moe.experts_used));
    double total = 0;
    for (const auto& [rank, expert] : experts) total += scores[expert];
    Vector out(x.size());
    for (const auto& [rank, expert] : experts) {
      const Vector y = FeedForward(prefix + "experts." + std::to_string(expert) + ".", x);
      const double weight = scores[expert] / (moe.normalize ? total : 1.0) * moe.scale;
      for (size_t i = 0; i < out.size(); ++i) out[i] += weight * y[i];
    }
    if (moe.shared_experts > 0) Add(out, FeedForward(prefix + "shared_experts.", x));
    return out;
  }

  const TinyModel& model_;
  const ModelConfig& config_;
  std::map<std::pair<int64_t, int64_t>, std::vector<Vector>> keys_, values_;
};

}  // namespace

std::vector<float> ReferenceLogits(const TinyModel& model, std::span<const int32_t> tokens) {
  Reference reference(model);
  return reference.Logits(reference.Hidden(tokens).back());
}

std::vector<std::vector<float>> ReferenceHidden(const TinyModel& model,
                                                std::span<const int32_t> tokens) {
  std::vector<std::vector<float>> states;
  for (const Vector& state : Reference(model).Hidden(tokens)) {
    states.emplace_back(state.begin(), state.end());
  }
  return states;
}

ReferenceDraft ReferencePropose(const TinyModel& model, std::span<const int32_t> tokens,
                                int32_t last, int64_t count) {
  Reference reference(model);
  const auto states = reference.Hidden(tokens);
  Vector state;
  for (size_t i = 0; i < tokens.size(); ++i) {
    state = reference.Predict(states[i], i + 1 < tokens.size() ? tokens[i + 1] : last, i);
  }
  ReferenceDraft draft;
  for (size_t position = tokens.size();; ++position) {
    const auto logits = reference.Logits(state);
    if (draft.tokens.empty()) draft.logits = logits;
    draft.tokens.push_back(
        static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin()));
    if (static_cast<int64_t>(draft.tokens.size()) == count) return draft;
    state = reference.Predict(state, draft.tokens.back(), position);
  }
}

}  // namespace portcullis::inference
