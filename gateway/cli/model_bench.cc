// `portcullis model bench`: how fast a model computes here, beside what the machine can do at most,
// measured in the same run. Prefill: prompts of random tokens, chunk by chunk; decode: one token of
// every sequence a step, random tokens again, so that sampling is not part of the figures. Medians.
#include <sys/resource.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <numeric>
#include <vector>

#include "gateway/cli/model.h"
#include "inference/model/config.h"
#include "inference/model/weights.h"
#include "inference/model/work.h"
#include "inference/ops/cpu.h"
#include "inference/ops/limits.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;
using inference::Result;
using Clock = std::chrono::steady_clock;

constexpr double kGiga = 1e9;

struct BenchOptions : ModelOptions {
  int64_t prompt = 512;
  int64_t generate = 128;
  std::vector<int64_t> batches = {1, 4, 16};
  int64_t chunk = 512;
  int repetitions = 3;
  double seconds = 20;  // a measurement is not repeated once it took that long
  std::string kv_type;  // empty: as in serving
  std::string precision = "fast";
  std::string pack_cache;
};

struct Row {
  int64_t batch = 0;
  std::vector<double> prefill, decode, first_token;  // seconds, one a repetition
  int64_t kv_bytes = 0;
};

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// A field of /proc/self/status in bytes, 0 where there is none.
int64_t StatusBytes(std::string_view field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field)) return std::stoll(line.substr(field.size() + 1)) * 1024;
  }
  return 0;
}

class Bench {
 public:
  Bench(inference::Model& model, const BenchOptions& options)
      : model_(model), options_(options),
        logits_(static_cast<size_t>(model.info().vocab_size *
                                    std::ranges::max(options.batches))) {}

  Result<Row> Measure(int64_t batch) {
    Row row;
    row.batch = batch;
    std::vector<std::unique_ptr<inference::Sequence>> sequences;
    for (int64_t i = 0; i < batch; ++i) {
      BOOST_OUTCOME_TRY(auto sequence, model_.NewSequence(options_.prompt + options_.generate));
      sequences.push_back(std::move(sequence));
    }
    row.kv_bytes = batch * model_.SequenceBytes(options_.prompt + options_.generate);
    BOOST_OUTCOME_TRY(Repeat([&]() -> Result<void> {
      for (const auto& sequence : sequences) sequence->Truncate(0);
      const auto start = Clock::now();
      for (const auto& sequence : sequences) {
        if (!sequence->Reserve(options_.prompt)) return NoRoom();
        BOOST_OUTCOME_TRY(Prefill(*sequence));
        if (&sequence == &sequences.front()) row.first_token.push_back(SecondsSince(start));
      }
      row.prefill.push_back(SecondsSince(start));
      return boost::outcome_v2::success();
    }));
    BOOST_OUTCOME_TRY(Repeat([&]() -> Result<void> {
      for (const auto& sequence : sequences) {
        sequence->Truncate(options_.prompt);
        if (!sequence->Reserve(options_.prompt + options_.generate)) return NoRoom();
      }
      const auto start = Clock::now();
      BOOST_OUTCOME_TRY(Decode(sequences));
      row.decode.push_back(SecondsSince(start));
      return boost::outcome_v2::success();
    }));
    return row;
  }

 private:
  static inference::Error NoRoom() {
    return {inference::Code::kOutOfMemory, "no room for the keys and values of the sequences"};
  }

  Result<void> Repeat(const std::function<Result<void>()>& run) const {
    const auto start = Clock::now();
    for (int i = 0; i < options_.repetitions; ++i) {
      BOOST_OUTCOME_TRY(run());
      if (SecondsSince(start) > options_.seconds) break;
    }
    return boost::outcome_v2::success();
  }

  int32_t RandomToken() {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return static_cast<int32_t>((state_ >> 33) %
                                static_cast<uint64_t>(model_.info().vocab_size));
  }

  // Ends with the logits of the last token: what a first token waits for.
  Result<void> Prefill(inference::Sequence& sequence) {
    std::vector<int32_t> tokens(static_cast<size_t>(options_.prompt));
    for (auto& token : tokens) token = RandomToken();
    const auto vocabulary = static_cast<size_t>(model_.info().vocab_size);
    for (int64_t begin = 0; begin < options_.prompt; begin += options_.chunk) {
      const int64_t count = std::min(options_.chunk, options_.prompt - begin);
      const bool last = begin + count == options_.prompt;
      const inference::Step step{
          &sequence, std::span(tokens).subspan(static_cast<size_t>(begin),
                                               static_cast<size_t>(count)),
          last ? inference::LogitRows::kLast : inference::LogitRows::kNone};
      BOOST_OUTCOME_TRY(model_.Forward(std::span(&step, 1),
                                       std::span(logits_).first(last ? vocabulary : 0)));
    }
    return boost::outcome_v2::success();
  }

  Result<void> Decode(const std::vector<std::unique_ptr<inference::Sequence>>& sequences) {
    const size_t rows = sequences.size();
    std::vector<int32_t> tokens(rows);
    std::vector<inference::Step> steps(rows);
    for (size_t i = 0; i < rows; ++i) {
      steps[i] = {sequences[i].get(), std::span(&tokens[i], 1), inference::LogitRows::kLast,
                  inference::TokenRole::kGenerated};
    }
    const size_t count = rows * static_cast<size_t>(model_.info().vocab_size);
    for (int64_t i = 0; i < options_.generate; ++i) {
      for (auto& token : tokens) token = RandomToken();
      BOOST_OUTCOME_TRY(model_.Forward(steps, std::span(logits_).first(count)));
    }
    return boost::outcome_v2::success();
  }

  inference::Model& model_;
  const BenchOptions& options_;
  std::vector<float> logits_;
  uint64_t state_ = 1;
};

// Shares of every limit that the machine has an instruction for.
json::object Shares(double per_second, const inference::MachineLimits& limits) {
  json::object shares;
  shares["share_of_f32"] = per_second / limits.f32_per_second;
  if (limits.bf16_per_second > 0) shares["share_of_bf16"] = per_second / limits.bf16_per_second;
  if (limits.int8_per_second > 0) shares["share_of_int8"] = per_second / limits.int8_per_second;
  return shares;
}

json::object Describe(const Row& row, const BenchOptions& options, const inference::Work& work,
                      const inference::MachineLimits& limits, int64_t kv_bytes_at_prompt) {
  json::object out;
  const auto batch = static_cast<double>(row.batch);
  const double prefill = Median(row.prefill);
  const double prefill_rate =
      batch * work.Operations(options.prompt, 1) / prefill;
  json::object prefill_object = Shares(prefill_rate, limits);
  prefill_object["tokens_per_second"] = batch * static_cast<double>(options.prompt) / prefill;
  prefill_object["seconds"] = prefill;
  prefill_object["gf_per_second"] = prefill_rate / kGiga;
  // Weights are read once a chunk; keys and values are little beside them.
  const int64_t chunks = (options.prompt + options.chunk - 1) / options.chunk;
  const double prefill_read =
      batch * static_cast<double>(chunks) *
      work.BytesRead(std::min(options.chunk, options.prompt)) / prefill;
  prefill_object["gb_per_second"] = prefill_read / kGiga;
  prefill_object["share_of_memory"] = prefill_read / limits.read_bytes_per_second;
  prefill_object["repetitions"] = row.prefill.size();

  const double decode = Median(row.decode);
  const auto steps = static_cast<double>(options.generate);
  // Keys and values are read too: on average those of the prompt and half of what is generated.
  const double read = steps * (work.BytesRead(row.batch) +
                               batch * static_cast<double>(kv_bytes_at_prompt)) / decode;
  const double decode_rate = steps * work.Operations(row.batch, row.batch) / decode;
  json::object decode_object = Shares(decode_rate, limits);
  decode_object["tokens_per_second"] = batch * steps / decode;
  decode_object["tokens_per_second_per_sequence"] = steps / decode;
  decode_object["seconds"] = decode;
  decode_object["gb_per_second"] = read / kGiga;
  decode_object["share_of_memory"] = read / limits.read_bytes_per_second;
  decode_object["gf_per_second"] = decode_rate / kGiga;
  decode_object["repetitions"] = row.decode.size();

  out["batch"] = row.batch;
  out["prefill"] = std::move(prefill_object);
  out["decode"] = std::move(decode_object);
  out["time_to_first_token_seconds"] = Median(row.first_token);
  out["kv_bytes"] = row.kv_bytes;
  return out;
}

double Number(const json::object& object, const char* key) {
  return object.at(key).to_number<double>();
}

void PrintTable(const json::object& report) {
  const auto& model = report.at("model").as_object();
  const auto& limits = report.at("limits").as_object();
  const auto& memory = report.at("memory").as_object();
  const auto& load = report.at("load").as_object();
  std::printf("%s  %s  %s, %lld parameters, %d threads, %s\n", model.at("name").as_string().c_str(),
              model.at("architecture").as_string().c_str(),
              model.at("weight_type").as_string().c_str(),
              static_cast<long long>(Number(model, "parameters")),
              static_cast<int>(Number(report, "threads")), report.at("isa").as_string().c_str());
  std::printf("limits: memory %.1f GB/s, f32 %.0f GF/s, bf16 %.0f GF/s, int8 %.0f GF/s\n",
              Number(limits, "memory_gb_per_second"), Number(limits, "f32_gf_per_second"),
              Number(limits, "bf16_gf_per_second"), Number(limits, "int8_gf_per_second"));
  std::printf("load %.2f s, start to first token of a short prompt %.2f s\n", Number(load, "seconds"),
              Number(load, "first_token_seconds"));
  std::printf("memory: weights %.0f MB, peak resident %.0f MB, of it not file pages %.0f MB\n\n",
              Number(memory, "weights_bytes") / 1e6, Number(memory, "rss_peak_bytes") / 1e6,
              Number(memory, "rss_anonymous_bytes") / 1e6);
  std::printf("%5s | %9s %8s %7s %8s | %9s %8s %7s %7s | %8s\n", "batch", "prefill/s", "GF/s",
              "of f32", "ttft s", "decode/s", "GB/s", "of mem", "GF/s", "KV MB");
  for (const auto& value : report.at("rows").as_array()) {
    const auto& row = value.as_object();
    const auto& prefill = row.at("prefill").as_object();
    const auto& decode = row.at("decode").as_object();
    std::printf("%5d | %9.1f %8.0f %6.0f%% %8.2f | %9.1f %8.1f %6.0f%% %7.0f | %8.0f\n",
                static_cast<int>(Number(row, "batch")), Number(prefill, "tokens_per_second"),
                Number(prefill, "gf_per_second"), 100 * Number(prefill, "share_of_f32"),
                Number(row, "time_to_first_token_seconds"), Number(decode, "tokens_per_second"),
                Number(decode, "gb_per_second"), 100 * Number(decode, "share_of_memory"),
                Number(decode, "gf_per_second"), Number(row, "kv_bytes") / 1e6);
  }
}

Result<void> RunBench(const Context& context, const BenchOptions& options) {
  BOOST_OUTCOME_TRY(const auto weights, inference::Weights::Open(options.model));
  BOOST_OUTCOME_TRY(const auto config, inference::ConfigOf(weights));
  const auto work = inference::CountWork(weights, config);

  inference::LoadOptions load;
  load.threads = options.threads;
  load.hash = false;
  load.kv_type = inference::KvTypeNamed(options.kv_type);
  load.precision = options.precision == "exact" ? inference::Precision::kExact
                                                : inference::Precision::kFast;
  load.pack_cache = options.pack_cache;
  const auto start = Clock::now();
  BOOST_OUTCOME_TRY(const auto model, inference::Model::Load(options.model, load));
  const double loaded = SecondsSince(start);
  BenchOptions small = options;
  small.prompt = std::min<int64_t>(16, options.prompt);
  small.generate = 1;
  small.batches = {1};
  small.repetitions = 1;
  BOOST_OUTCOME_TRY(Bench(*model, small).Measure(1));
  const double first_token = SecondsSince(start);

  inference::Workers workers(options.threads);
  const auto limits = inference::MeasureLimits(workers);
  Bench bench(*model, options);
  json::array rows;
  const int64_t kv_bytes = model->SequenceBytes(options.prompt + options.generate / 2);
  for (const int64_t batch : options.batches) {
    if (!context.json) std::cerr << "batch " << batch << "\r" << std::flush;
    BOOST_OUTCOME_TRY(const auto row, bench.Measure(batch));
    rows.push_back(Describe(row, options, work, limits, kv_bytes));
  }
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);

  const auto& info = model->info();
  json::object report;
  report["schema"] = "portcullis.model.bench/1";
  report["model"] = {{"name", info.name}, {"architecture", info.architecture},
                     {"weight_type", info.weight_type}, {"parameters", info.parameters}};
  report["threads"] = workers.threads();
  report["isa"] = inference::NameOf(inference::BestIsa());
  report["precision"] = options.precision;
  report["kv_type"] = inference::NameOf(inference::KvTypeOf(load));
  report["prompt"] = options.prompt;
  report["generate"] = options.generate;
  report["limits"] = {{"memory_gb_per_second", limits.read_bytes_per_second / kGiga},
                      {"f32_gf_per_second", limits.f32_per_second / kGiga},
                      {"bf16_gf_per_second", limits.bf16_per_second / kGiga},
                      {"int8_gf_per_second", limits.int8_per_second / kGiga}};
  const auto packed = model->packed();
  report["load"] = {{"seconds", loaded}, {"first_token_seconds", first_token},
                    {"packed_matrices", packed.matrices}, {"from_pack_cache", packed.cached}};
  report["memory"] = {{"rss_peak_bytes", int64_t{usage.ru_maxrss} * 1024},
                      {"rss_anonymous_bytes", StatusBytes("RssAnon")},
                      {"weights_bytes", info.bytes}};
  report["rows"] = std::move(rows);
  if (context.json) {
    std::cout << json::serialize(report) << '\n';
  } else {
    PrintTable(report);
  }
  return boost::outcome_v2::success();
}

}  // namespace

void AddModelBench(CLI::App& model, Context& context) {
  const auto [app, options] = AddModelCommand<BenchOptions>(
      model, context, "bench", "measure speed and memory beside the machine's limits", RunBench);
  app->add_option("--prompt", options->prompt, "tokens of each prompt (512)")
      ->check(CLI::Range(1, 1 << 24));
  app->add_option("--gen", options->generate, "tokens generated by each sequence (128)")
      ->check(CLI::Range(1, 1 << 24));
  app->add_option("--batch", options->batches, "sequences at once, as 1,4,16")->delimiter(',')
      ->check(CLI::Range(1, 4096));
  app->add_option("--chunk", options->chunk, "prompt tokens computed at once (512)")
      ->check(CLI::Range(1, 1 << 16));
  app->add_option("--repetitions", options->repetitions, "medians of so many (3)")
      ->check(CLI::Range(1, 1000));
  app->add_option("--seconds", options->seconds, "stop repeating after (20)")
      ->check(CLI::Range(0.0, 1e6));
  app->add_option("--kv-type", options->kv_type, "how keys and values are kept (f16; where exact: f32)")
      ->check(CLI::IsMember({"f32", "f16"}));
  app->add_option("--precision", options->precision, "fast as in serving, or exact")
      ->check(CLI::IsMember({"fast", "exact"}));
  app->add_option("--pack-cache", options->pack_cache, "folder for repacked weights");
}

}  // namespace portcullis::cli
