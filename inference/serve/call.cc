#include "inference/serve/call.h"

#include <sys/random.h>

#include <boost/json.hpp>
#include <charconv>
#include <limits>
#include <utility>

#include "inference/serve/call_parts.h"

namespace portcullis::inference {
namespace {

namespace json = boost::json;

constexpr int64_t kMaxChoices = 4;
constexpr int kMaxAnswers = 64;
constexpr size_t kMaxStops = 4;
constexpr size_t kMaxStopBytes = 256;
constexpr size_t kMaxBiases = 1024;
constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();

ApiResult<json::value> ParseBody(std::string_view body) {
  json::parse_options options;
  options.max_depth = 64;
  json::error_code error;
  json::value value = json::parse(body, error, {}, options);
  if (error) {
    return ApiError{400, "the body is not valid JSON: " + error.message(), "", "invalid_json"};
  }
  if (!value.is_object()) {
    return ApiError{400, "the body must be a JSON object", "", "invalid_json"};
  }
  return value;
}

uint64_t RandomSeed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed) return 0x9E3779B97F4A7C15u;
  return seed;
}

ApiResult<void> ReadStops(const Fields& fields, Call& call) {
  const json::value* value = fields.Find("stop");
  if (value == nullptr) return boost::outcome_v2::success();
  const auto add = [&](const json::value& item) -> ApiResult<void> {
    if (!item.is_string() || item.get_string().empty() ||
        item.get_string().size() > kMaxStopBytes) {
      return BadField("stop", "`stop` must hold strings of 1 to 256 bytes");
    }
    call.stops.emplace_back(std::string_view(item.get_string()));
    return boost::outcome_v2::success();
  };
  if (value->is_string()) return add(*value);
  if (!value->is_array() || value->get_array().size() > kMaxStops) {
    return BadField("stop", "`stop` must be a string or a list of at most 4 strings");
  }
  for (const json::value& item : value->get_array()) {
    BOOST_OUTCOME_TRY(add(item));
  }
  return boost::outcome_v2::success();
}

ApiResult<void> ReadBias(const Fields& fields, Call& call) {
  BOOST_OUTCOME_TRY(const json::object* object, fields.Object("logit_bias"));
  if (object == nullptr) return boost::outcome_v2::success();
  if (object->size() > kMaxBiases) {
    return BadField("logit_bias", "`logit_bias` may hold at most 1024 tokens");
  }
  const Fields biases(*object);
  for (const auto& entry : *object) {
    const std::string_view key = entry.key();
    TokenId id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0) {
      return BadField("logit_bias", "the keys of `logit_bias` must be token ids");
    }
    const auto bias = biases.Number(key, -100, 100);
    if (!bias || !bias.value()) {
      return BadField("logit_bias", "the values of `logit_bias` must be between -100 and 100");
    }
    call.sampling.logit_bias.emplace_back(id, static_cast<float>(*bias.value()));
  }
  return boost::outcome_v2::success();
}

ApiResult<void> ReadSampling(const Fields& fields, Call& call) {
  SamplingOptions& sampling = call.sampling;
  const auto number = [&](std::string_view name, double low, double high,
                          float& out) -> ApiResult<void> {
    BOOST_OUTCOME_TRY(const auto value, fields.Number(name, low, high));
    if (value) out = static_cast<float>(*value);
    return boost::outcome_v2::success();
  };
  BOOST_OUTCOME_TRY(number("temperature", 0, 2, sampling.temperature));
  BOOST_OUTCOME_TRY(number("top_p", 0, 1, sampling.top_p));
  BOOST_OUTCOME_TRY(number("min_p", 0, 1, sampling.min_p));
  BOOST_OUTCOME_TRY(number("presence_penalty", -2, 2, sampling.presence_penalty));
  BOOST_OUTCOME_TRY(number("frequency_penalty", -2, 2, sampling.frequency_penalty));
  BOOST_OUTCOME_TRY(number("repetition_penalty", 0.1, 10, sampling.repetition_penalty));
  BOOST_OUTCOME_TRY(const auto top_k, fields.Int("top_k", -1, 1'000'000));
  if (top_k) sampling.top_k = static_cast<int32_t>(*top_k);
  BOOST_OUTCOME_TRY(const auto seed,
                    fields.Int("seed", std::numeric_limits<int64_t>::min(), kMaxInt));
  sampling.seed = seed ? static_cast<uint64_t>(*seed) : RandomSeed();
  return ReadBias(fields, call);
}

ApiResult<void> ReadCommon(const Fields& fields, Call& call) {
  BOOST_OUTCOME_TRY(const auto model, fields.String("model"));
  if (!model || model->empty()) return BadField("model", "`model` must name a model");
  call.model = *model;
  BOOST_OUTCOME_TRY(const auto stream, fields.Bool("stream"));
  call.stream = stream.value_or(false);
  BOOST_OUTCOME_TRY(const json::object* options, fields.Object("stream_options"));
  if (options != nullptr) {
    BOOST_OUTCOME_TRY(const auto usage, Fields(*options).Bool("include_usage"));
    call.include_usage = call.stream && usage.value_or(false);
  }
  BOOST_OUTCOME_TRY(const auto choices, fields.Int("n", 1, kMaxChoices));
  call.choices = static_cast<int>(choices.value_or(1));
  BOOST_OUTCOME_TRY(const auto max_tokens, fields.Int("max_tokens", 1, 1 << 30));
  BOOST_OUTCOME_TRY(const auto newer, fields.Int("max_completion_tokens", 1, 1 << 30));
  call.max_tokens = newer.value_or(max_tokens.value_or(0));
  BOOST_OUTCOME_TRY(ReadStops(fields, call));
  BOOST_OUTCOME_TRY(ReadSampling(fields, call));
  return boost::outcome_v2::success();
}

}  // namespace

ApiResult<Call> ReadChatCall(std::string_view body, const SamplingOptions& defaults) {
  BOOST_OUTCOME_TRY(const json::value value, ParseBody(body));
  const Fields fields(value.get_object());
  Call call;
  call.sampling = defaults;
  BOOST_OUTCOME_TRY(ReadCommon(fields, call));
  BOOST_OUTCOME_TRY(ReadMessages(fields, call));
  BOOST_OUTCOME_TRY(ReadThinking(fields, call));
  BOOST_OUTCOME_TRY(ReadTools(fields, call));
  BOOST_OUTCOME_TRY(ReadFormat(fields, call));
  BOOST_OUTCOME_TRY(const auto logprobs, fields.Bool("logprobs"));
  BOOST_OUTCOME_TRY(const auto top, fields.Int("top_logprobs", 0, 20));
  call.sampling.logprobs = logprobs.value_or(false);
  if (top && *top > 0 && !call.sampling.logprobs) {
    return BadField("top_logprobs", "`top_logprobs` needs `logprobs` to be true");
  }
  call.sampling.top_logprobs = static_cast<int32_t>(top.value_or(0));
  return call;
}

ApiResult<Call> ReadTextCall(std::string_view body, const SamplingOptions& defaults) {
  BOOST_OUTCOME_TRY(const json::value value, ParseBody(body));
  const Fields fields(value.get_object());
  Call call;
  call.chat = false;
  call.sampling = defaults;
  BOOST_OUTCOME_TRY(ReadCommon(fields, call));
  BOOST_OUTCOME_TRY(call.prompts, ReadInputs(fields, "prompt"));
  BOOST_OUTCOME_TRY(const auto echo, fields.Bool("echo"));
  call.echo = echo.value_or(false);
  for (const std::string_view name : {"suffix", "best_of"}) {
    const json::value* field = fields.Find(name);
    if (field != nullptr && *field != false && *field != 1) {
      return BadField(std::string(name), "this engine does not support `" + std::string(name) + "`",
                      "unsupported_value");
    }
  }
  BOOST_OUTCOME_TRY(const auto logprobs, fields.Int("logprobs", 0, 20));
  call.sampling.logprobs = logprobs.has_value();
  call.sampling.top_logprobs = static_cast<int32_t>(logprobs.value_or(0));
  if (call.echo && call.sampling.logprobs) {
    return BadField("echo", "`echo` together with `logprobs` is not supported", "unsupported_value");
  }
  if (call.answers() > kMaxAnswers) {
    return BadField("n", "prompts times `n` may be at most 64 answers");
  }
  return call;
}

ApiResult<EmbedCall> ReadEmbedCall(std::string_view body) {
  BOOST_OUTCOME_TRY(const json::value value, ParseBody(body));
  const Fields fields(value.get_object());
  EmbedCall call;
  BOOST_OUTCOME_TRY(const auto model, fields.String("model"));
  if (!model || model->empty()) return BadField("model", "`model` must name a model");
  call.model = *model;
  BOOST_OUTCOME_TRY(call.inputs, ReadInputs(fields, "input"));
  BOOST_OUTCOME_TRY(const auto encoding, fields.String("encoding_format"));
  if (encoding && *encoding != "float" && *encoding != "base64") {
    return BadField("encoding_format", "`encoding_format` must be `float` or `base64`");
  }
  call.base64 = encoding == "base64";
  BOOST_OUTCOME_TRY(const auto pooling, fields.String("pooling"));
  if (pooling && *pooling != "mean" && *pooling != "last") {
    return BadField("pooling", "`pooling` must be `mean` or `last`");
  }
  call.mean = pooling != "last";
  BOOST_OUTCOME_TRY(const auto dimensions, fields.Int("dimensions", 1, 1'000'000));
  call.dimensions = dimensions.value_or(0);
  return call;
}

}  // namespace portcullis::inference
