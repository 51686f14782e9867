// `portcullis model verify`: whether a model's files are whole and fit together: digests of all
// files, every weight finite, configuration, weights, vocabulary and chat template in agreement.
// Findings are told one by one; any of them is exit code 3. Notes are no findings.
#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <cctype>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>

#include "gateway/cli/model.h"
#include "inference/engine.h"
#include "inference/model/check_values.h"
#include "inference/model/digest.h"
#include "inference/model/weights.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;
using inference::Result;

constexpr size_t kMaxListBytes = 4 << 20;
constexpr size_t kHexDigits = 64;

struct VerifyOptions : ModelOptions {
  std::string sha256;   // of the model
  std::string against;  // a file of sha256sum lines
  std::string pack_cache;  // folder of the packed form; empty: the model's
};

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool IsDigest(std::string_view text) {
  return text.size() == kHexDigits &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

// Digests by file name, from lines "hex  name" as sha256sum writes them.
Result<std::map<std::string, std::string>> ReadList(const std::string& path) {
  BOOST_OUTCOME_TRY(const auto text, inference::ReadSmallFile(path, kMaxListBytes));
  std::map<std::string, std::string> digests;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    const std::string hex = line.substr(0, std::min(kHexDigits, line.size()));
    const size_t name = line.find_first_not_of(" *", hex.size());
    if (!IsDigest(hex) || name == std::string::npos || name == hex.size()) {
      return inference::Error{inference::Code::kBadFile,
                              "`" + path + "`: a line is not `SHA256  NAME`: " + line.substr(0, 80)};
    }
    digests[std::filesystem::path(line.substr(name)).filename().string()] = Lower(hex);
  }
  return digests;
}

class Verifier {
 public:
  Verifier(const VerifyOptions& options, int threads) : options_(options), threads_(threads) {}

  // Fails only where nothing can be said: a list that cannot be read.
  Result<void> Run() {
    const auto contents = inference::ListContents(options_.model);
    if (!contents) {
      findings_.push_back(contents.error().message);
      return boost::outcome_v2::success();
    }
    BOOST_OUTCOME_TRY(CheckDigests(contents.value()));
    tensors_ = contents.value().tensors;
    parameters_ = contents.value().parameters;
    for (const auto& [type, size] : contents.value().bytes_by_type) types_[Shown(type)] = size;
    std::atomic<int64_t> done{0};
    BOOST_OUTCOME_TRY(const auto all_bad,
                      inference::FindBadValues(options_.model, threads_, done));
    for (const auto& bad : all_bad) {
      findings_.push_back("tensor `" + bad.tensor + "`: " + std::to_string(bad.count) +
                          " values are not finite, the first in row " +
                          std::to_string(bad.first_row));
    }
    CheckModel();
    return CheckPacked();
  }

  bool good() const { return findings_.empty(); }

  json::object Report() const {
    json::object body;
    body["schema"] = "portcullis.model.verify/1";
    body["model"] = options_.model;
    body["good"] = good();
    body["sha256"] = sha256_;
    body["files"] = files_;
    body["tensors"] = tensors_;
    body["parameters"] = parameters_;
    body["types"] = types_;
    body["chat_template"] = template_;
    body["packed_matrices"] = packed_;
    body["findings"] = Texts(findings_);
    body["notes"] = Texts(notes_);
    return body;
  }

  void Print() const {
    for (const auto& value : files_) {
      const auto& file = value.as_object();
      std::cout << file.at("sha256").as_string().c_str() << "  "
                << file.at("name").as_string().c_str() << "\n";
    }
    if (!sha256_.empty()) std::cout << "model sha256: " << sha256_ << "\n";
    std::cout << tensors_ << " tensors, " << parameters_ << " parameters\n";
    for (const auto& note : notes_) std::cout << "note: " << Shown(note) << "\n";
    for (const auto& finding : findings_) std::cout << "BAD: " << Shown(finding) << "\n";
    std::cout << (good() ? "the model is whole and fits together\n" : "do not use this model\n");
  }

 private:
  static json::array Texts(const std::vector<std::string>& lines) {
    json::array out;
    for (const auto& line : lines) out.emplace_back(Shown(line));
    return out;
  }

  // Of the weights, and of the files beside them that change what the model says.
  std::vector<std::filesystem::path> Files(const inference::Contents& contents) const {
    auto files = contents.files;
    if (contents.is_gguf) return files;
    for (const char* name : {"config.json", "generation_config.json", "tokenizer.json",
                             "tokenizer_config.json", "model.safetensors.index.json",
                             "chat_template.jinja"}) {
      std::error_code ignored;
      const auto path = std::filesystem::path(options_.model) / name;
      if (std::filesystem::exists(path, ignored)) files.push_back(path);
    }
    return files;
  }

  Result<void> CheckDigests(const inference::Contents& contents) {
    std::map<std::string, std::string> expected;
    if (!options_.against.empty()) {
      BOOST_OUTCOME_TRY(expected, ReadList(options_.against));
    }
    for (const auto& path : Files(contents)) {
      const std::string name = path.filename().string();
      const auto digest = inference::FileDigest(path);
      if (!digest) {
        findings_.push_back(digest.error().message);
        continue;
      }
      std::error_code ignored;
      files_.push_back(json::object{{"name", name}, {"sha256", digest.value()},
                                    {"bytes", std::filesystem::file_size(path, ignored)}});
      if (options_.against.empty()) continue;
      const auto found = expected.find(name);
      if (found == expected.end()) {
        findings_.push_back("`" + name + "` is not in `" + options_.against + "`");
      } else if (found->second != digest.value()) {
        findings_.push_back("`" + name + "` has the digest " + digest.value() + ", not " +
                            found->second + ": it was changed or damaged");
      }
      expected.erase(name);
    }
    for (const auto& [name, digest] : expected) {
      notes_.push_back("`" + name + "` is listed but is not part of the model");
    }
    std::atomic<int64_t> done{0};
    BOOST_OUTCOME_TRY(const auto weights, inference::Weights::Open(options_.model));
    const auto whole = inference::WeightDigest(weights.files(), threads_, done);
    if (!whole) return boost::outcome_v2::success();  // already a finding
    sha256_ = whole.value();
    if (!options_.sha256.empty() && Lower(options_.sha256) != sha256_) {
      findings_.push_back("the weights have the digest " + sha256_ + ", not " +
                          Lower(options_.sha256) + ": they were changed or damaged");
    }
    return boost::outcome_v2::success();
  }

  // Loading checks the configuration against every tensor it needs.
  void CheckModel() {
    const auto model = LoadModel(options_, inference::Precision::kExact);
    if (!model) {
      findings_.push_back(model.error().message);
      return;
    }
    const auto& info = model.value()->info();
    const auto tokenizer = inference::LoadTokenizer(*model.value());
    if (!tokenizer) {
      findings_.push_back(tokenizer.error().message);
      return;
    }
    const auto size = static_cast<int64_t>(tokenizer.value()->size());
    if (size > info.vocab_size) {
      findings_.push_back("the vocabulary has " + std::to_string(size) +
                          " tokens, the weights only " + std::to_string(info.vocab_size));
    } else if (size < info.vocab_size) {
      notes_.push_back("the weights have " + std::to_string(info.vocab_size - size) +
                       " rows more than the vocabulary has tokens; they are never chosen");
    }
    if (tokenizer.value()->ends().empty()) {
      notes_.push_back("no token ends an answer: answers run to their limit");
    }
    const auto known = inference::ChatTemplate::Recognise(*tokenizer.value());
    if (known) {
      template_ = known.value().family_name();
    } else {
      findings_.push_back(known.error().message);
    }
  }

  // A packed form is as good as the weights only where packing these again gives the same.
  Result<void> CheckPacked() {
    if (!good()) return boost::outcome_v2::success();
    BOOST_OUTCOME_TRY(const auto form,
                      FindPackedForm(options_.model, options_.pack_cache, sha256_));
    if (!form.present) return boost::outcome_v2::success();
    if (form.matrices == 0) {
      findings_.push_back("`" + form.file.string() +
                          "` is no packed form of this model: it is damaged or of other weights. "
                          "It is not used; remove it, or write it again with `quantize --packed`");
      return boost::outcome_v2::success();
    }
    inference::LoadOptions load;
    load.threads = threads_;
    load.precision = inference::Precision::kFast;
    load.draft_head = true;
    load.pack_cache = form.file.parent_path();
    load.pack_saving = inference::PackSaving::kNever;
    BOOST_OUTCOME_TRY(const auto model, inference::Model::Load(options_.model, load));
    const auto report = model->packed();
    packed_ = report.cached;
    if (report.cached < form.matrices) {
      findings_.push_back("`" + form.file.string() + "`: " +
                          std::to_string(form.matrices - report.cached) + " of " +
                          std::to_string(form.matrices) +
                          " packed matrices are damaged; write it again with `quantize --packed`");
    }
    if (const auto checked = model->CheckIntegrity({}); !checked) {
      findings_.push_back(checked.error().message);
    }
    return boost::outcome_v2::success();
  }

  const VerifyOptions& options_;
  int threads_;
  std::vector<std::string> findings_, notes_;
  json::array files_;
  json::object types_;
  std::string sha256_, template_;
  int64_t tensors_ = 0, parameters_ = 0, packed_ = 0;
};

}  // namespace

void AddModelVerify(CLI::App& model, Context& context) {
  const auto verify = [](Context& shared, const VerifyOptions& options) -> Result<void> {
    if (!options.sha256.empty() && !IsDigest(options.sha256)) {
      return inference::Error{inference::Code::kInvalidArgument,
                              "--sha256: 64 hexadecimal digits are expected"};
    }
    const int threads = options.threads > 0
                            ? options.threads
                            : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    Verifier verifier(options, threads);
    BOOST_OUTCOME_TRY(verifier.Run());
    if (shared.json) {
      std::cout << json::serialize(verifier.Report()) << '\n';
    } else {
      verifier.Print();
    }
    if (!verifier.good()) shared.exit_code = kNo;
    return boost::outcome_v2::success();
  };
  const auto [app, options] = AddModelCommand<VerifyOptions>(
      model, context, "verify", "check that a model's files are whole and fit together", verify);
  app->add_option("--sha256", options->sha256, "the digest that the weights must have");
  app->add_option("--against", options->against, "a file of sha256sum lines to compare with");
  app->add_option("--pack-cache", options->pack_cache,
                  "folder of the packed form; without it the model's");
}

}  // namespace portcullis::cli
