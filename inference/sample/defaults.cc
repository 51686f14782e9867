#include "inference/sample/defaults.h"

#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <string>

namespace portcullis::inference {
namespace {

namespace json = boost::json;

constexpr size_t kMaxFile = 1024 * 1024;

Result<void> Read(const json::object& object, std::string_view name, float low, float high,
                  float& out) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return boost::outcome_v2::success();
  json::error_code error;
  const auto number = value->to_number<double>(error);
  if (error || !(number >= low && number <= high)) {
    return Error{Code::kBadConfig, "generation_config.json: `" + std::string(name) +
                                       "` is not a number between " + std::to_string(low) +
                                       " and " + std::to_string(high)};
  }
  out = static_cast<float>(number);
  return boost::outcome_v2::success();
}

}  // namespace

Result<SamplingOptions> ParseSamplingDefaults(std::string_view generation_config) {
  SamplingOptions options;
  json::error_code error;
  const json::value value = json::parse(generation_config, error);
  if (error || !value.is_object()) {
    return Error{Code::kBadConfig, "generation_config.json: not a JSON object of at most 1 MiB"};
  }
  const json::object& object = value.get_object();
  BOOST_OUTCOME_TRY(Read(object, "temperature", 0, 2, options.temperature));
  BOOST_OUTCOME_TRY(Read(object, "top_p", 0, 1, options.top_p));
  BOOST_OUTCOME_TRY(Read(object, "min_p", 0, 1, options.min_p));
  BOOST_OUTCOME_TRY(Read(object, "repetition_penalty", 0.1f, 10, options.repetition_penalty));
  float top_k = 0;
  BOOST_OUTCOME_TRY(Read(object, "top_k", 0, 1e6f, top_k));
  options.top_k = static_cast<int32_t>(top_k);
  const json::value* sample = object.if_contains("do_sample");
  if (sample != nullptr && sample->is_bool() && !sample->get_bool()) options.temperature = 0;
  return options;
}

Result<SamplingOptions> LoadSamplingDefaults(const std::filesystem::path& model) {
  std::ifstream file(model / "generation_config.json", std::ios::binary);
  if (!file) return SamplingOptions{};
  std::string text(kMaxFile, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  return ParseSamplingDefaults(text);
}

}  // namespace portcullis::inference
