#include "inference/sample/defaults.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <optional>
#include <string>

namespace portcullis::inference {
namespace {

namespace json = boost::json;

constexpr size_t kMaxFile = 1024 * 1024;

struct Setting {
  const char* name;  // in generation_config.json
  const char* key;   // in GGUF
  double low, high;
  float SamplingOptions::*member;
};

constexpr Setting kSettings[] = {
    {"temperature", "general.sampling.temp", 0, 2, &SamplingOptions::temperature},
    {"top_p", "general.sampling.top_p", 0, 1, &SamplingOptions::top_p},
    {"min_p", "general.sampling.min_p", 0, 1, &SamplingOptions::min_p},
    {"repetition_penalty", "general.sampling.penalty_repeat", 0.1, 10,
     &SamplingOptions::repetition_penalty},
};
// Off is written as 0, and by some as -1.
constexpr Setting kTopK = {"top_k", "general.sampling.top_k", -1, 1e6, nullptr};

// `number` comes from the field `where`; NaN stands for what is none.
Result<std::optional<double>> Within(const Setting& setting, double number,
                                     const std::string& where) {
  if (number >= setting.low && number <= setting.high) return std::optional(number);
  return Error{Code::kBadConfig, where + " is not a number between " + std::to_string(setting.low) +
                                     " and " + std::to_string(setting.high)};
}

// `find` gives the number that a setting has, or nothing.
template <class Find>
Result<SamplingOptions> Collect(const Find& find) {
  SamplingOptions options;
  for (const Setting& setting : kSettings) {
    BOOST_OUTCOME_TRY(const std::optional<double> value, find(setting));
    if (value) options.*setting.member = static_cast<float>(*value);
  }
  BOOST_OUTCOME_TRY(const std::optional<double> top_k, find(kTopK));
  if (top_k) options.top_k = static_cast<int32_t>(std::max(*top_k, 0.0));
  return options;
}

}  // namespace

Result<SamplingOptions> ParseSamplingDefaults(std::string_view generation_config) {
  json::error_code error;
  const json::value value = json::parse(generation_config, error);
  if (error || !value.is_object()) {
    return Error{Code::kBadConfig, "generation_config.json: not a JSON object of at most 1 MiB"};
  }
  const json::object& object = value.get_object();
  const auto find = [&](const Setting& setting) -> Result<std::optional<double>> {
    const json::value* found = object.if_contains(setting.name);
    if (found == nullptr || found->is_null()) return std::optional<double>();
    json::error_code bad;
    const auto number = found->to_number<double>(bad);
    return Within(setting, bad ? std::nan("") : number,
                  "generation_config.json: `" + std::string(setting.name) + "`");
  };
  BOOST_OUTCOME_TRY(auto options, Collect(find));
  const json::value* sample = object.if_contains("do_sample");
  if (sample != nullptr && sample->is_bool() && !sample->get_bool()) options.temperature = 0;
  return options;
}

Result<SamplingOptions> SamplingDefaultsOfFolder(const std::filesystem::path& folder) {
  std::ifstream file(folder / "generation_config.json", std::ios::binary);
  if (!file) return SamplingOptions{};
  std::string text(kMaxFile, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  return ParseSamplingDefaults(text);
}

Result<SamplingOptions> SamplingDefaultsOfGguf(const gguf::File& file) {
  return Collect([&](const Setting& setting) -> Result<std::optional<double>> {
    if (!file.Has(setting.key)) return std::optional<double>();
    BOOST_OUTCOME_TRY(const double number, file.Float(setting.key));
    return Within(setting, number, "GGUF: `" + std::string(setting.key) + "`");
  });
}

void WriteSamplingDefaults(const SamplingOptions& options, gguf::Writer& writer) {
  const SamplingOptions usual;
  for (const Setting& setting : kSettings) {
    const float value = options.*setting.member;
    if (value != usual.*setting.member) writer.SetFloat(setting.key, value);
  }
  if (options.top_k != usual.top_k) {
    writer.SetInt(kTopK.key, static_cast<uint32_t>(options.top_k));
  }
}

}  // namespace portcullis::inference
