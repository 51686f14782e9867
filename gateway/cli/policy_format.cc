// `portcullis policy format | convert`: lays policies out, and turns policies and schemas from
// Cedar's syntax into JSON and back. A file is replaced as a whole or not at all. Exit code 3 from
// `format --check`: a file would change.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

#include "gateway/cli/command.h"
#include "policy/cedar/batch.h"
#include "policy/cedar/folder.h"
#include "policy/cedar/format.h"
#include "policy/cedar/value_json.h"

namespace portcullis::cli {
namespace {

namespace cedar = policy::cedar;
namespace fs = std::filesystem;
using policy::Result;

std::string StandardInput() {
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

bool Replace(const fs::path& path, const std::string& text) {
  fs::path beside = path;
  beside += ".portcullis-new";
  std::error_code error;
  {
    std::ofstream file(beside, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) {
      fs::remove(beside, error);
      return false;
    }
  }
  fs::permissions(beside, fs::status(path, error).permissions(), error);
  fs::rename(beside, path, error);
  return !error;
}

void FormatFiles(Context& context, const std::vector<std::string>& files, bool check) {
  size_t changed = 0;
  for (const std::string& path : files) {
    const Result<std::string> text = cedar::ReadTextFile(path, cedar::kMaxPolicyText);
    if (!text) return Fail(context, kUsage, text.error().message);
    const Result<std::string> formatted = cedar::FormatPolicies(text.value(), path);
    if (!formatted) return Fail(context, kUsage, formatted.error().message);
    if (formatted.value() == text.value()) continue;
    ++changed;
    if (check || context.dry_run) {
      std::cout << path << ": not formatted\n";
    } else if (!Replace(path, formatted.value())) {
      return Fail(context, kUsage, path + ": cannot be written");
    }
  }
  if (check && changed > 0) context.exit_code = kNo;
}

void FormatStandardInput(Context& context, bool check) {
  const std::string text = StandardInput();
  const Result<std::string> formatted = cedar::FormatPolicies(text, "standard input");
  if (!formatted) return Fail(context, kUsage, formatted.error().message);
  if (check) {
    if (formatted.value() != text) context.exit_code = kNo;
    return;
  }
  std::cout << formatted.value();
}

// The value of the only member of a batch answer, as it is or, if a string, its content.
void Convert(Context& context, const std::string& file, const std::string& what,
             const std::string& to) {
  std::string text;
  if (file.empty()) {
    text = StandardInput();
  } else {
    const Result<std::string> read = cedar::ReadTextFile(file, cedar::kMaxPolicyText);
    if (!read) return Fail(context, kUsage, read.error().message);
    text = read.value();
  }
  const bool json = to == "text";  // from JSON to text, or the other way round
  cedar::Batch batch;
  const cedar::Batch::Answer answer = batch.Convert(
      "{\"" + what + "\":" + (json ? text : cedar::JsonQuoted(text)) + ",\"to\":\"" + to + "\"}");
  const Result<cedar::Json> document = cedar::ParseJson(answer.json, "answer");
  if (!answer.answered || !document) {
    const cedar::Json* error = document ? document.value().Find("error") : nullptr;
    const cedar::Json* message = error == nullptr ? nullptr : error->Find("message");
    return Fail(context, kUsage, message == nullptr ? "the input is unusable" : message->string);
  }
  if (const cedar::Json* written = document.value().Find("text")) {
    std::cout << written->string;
  } else {  // {"json":…}
    constexpr size_t kPrefix = sizeof("{\"json\":") - 1;
    std::cout << answer.json.substr(kPrefix, answer.json.size() - kPrefix - 1) << '\n';
  }
}

int RunBatch(cedar::Batch::Answer (cedar::Batch::*question)(std::string_view)) {
  cedar::Batch batch;
  bool all_answered = true;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.empty()) continue;
    const cedar::Batch::Answer answer = (batch.*question)(line);
    std::cout << answer.json << '\n';
    all_answered = all_answered && answer.answered;
  }
  std::cout.flush();
  return all_answered ? kOk : kUsage;
}

}  // namespace

void AddPolicyFormat(CLI::App& policy, Context& context) {
  struct Options {
    std::vector<std::string> files;
    std::string file;
    std::string to;
    bool check = false;
    bool schema = false;
    bool batch = false;
  };
  auto options = std::make_shared<Options>();

  CLI::App* format = policy.add_subcommand("format", "Lay policy files out in the one style");
  format->add_option("files", options->files,
                     "Files to rewrite; without any, standard input to standard output");
  format->add_flag("--check", options->check, "Change nothing; exit code 3 if anything would");
  format->add_flag("--batch", options->batch, "One text a line on standard input (JSON)");
  format->footer("Example: portcullis policy format --check policy.cedar");
  format->callback([options, &context] {
    if (options->batch) {
      context.exit_code = RunBatch(&cedar::Batch::Format);
    } else if (options->files.empty()) {
      FormatStandardInput(context, options->check);
    } else {
      FormatFiles(context, options->files, options->check);
    }
  });

  CLI::App* convert = policy.add_subcommand("convert", "Between Cedar's syntax and its JSON forms");
  convert->add_option("file", options->file, "What to convert; without it, standard input");
  convert->add_option("--to", options->to, "json or text")->check(CLI::IsMember({"json", "text"}));
  convert->add_flag("--schema", options->schema, "The file is a schema, not policies");
  convert->add_flag("--batch", options->batch, "One question a line on standard input (JSON)");
  convert->footer("Example: portcullis policy convert --to json policy.cedar");
  convert->callback([options, &context] {
    if (options->batch) {
      context.exit_code = RunBatch(&cedar::Batch::Convert);
    } else if (options->to.empty()) {
      Fail(context, kUsage, "give --to json or --to text");
    } else {
      Convert(context, options->file, options->schema ? "schema" : "policies", options->to);
    }
  });
}

}  // namespace portcullis::cli
