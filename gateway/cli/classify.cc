// portcullis classify: what a text holds, as JSON lines. Text on standard input, or with --batch
// one JSON object {"text": ...} a line. Offsets are bytes of the text (of the decoded string with
// --batch). Says where and what, never the text itself.
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "gateway/cli/command.h"
#include "policy/classify/scanner.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;
using policy::Finding;
using policy::Scanner;

constexpr size_t kMaxLine = 64 << 20;  // of a batch

// Written by hand for the sake of two decimals; all strings are identifiers.
std::string ToJson(const Finding& finding) {
  std::array<char, 256> text;
  const int size = std::snprintf(
      text.data(), text.size(),
      R"({"class":"%.*s","kind":"%.*s","start":%llu,"end":%llu,"confidence":%.2f})",
      static_cast<int>(finding.data_class.size()), finding.data_class.data(),
      static_cast<int>(finding.kind.size()), finding.kind.data(),
      static_cast<unsigned long long>(finding.start), static_cast<unsigned long long>(finding.end),
      static_cast<double>(finding.confidence));
  return {text.data(), static_cast<size_t>(size)};
}

void AppendItem(std::string& list, const Finding& finding) {
  if (!list.empty()) list += ',';
  list += ToJson(finding);
}

void ClassifyInput(Context& context) {
  Scanner scanner(policy::BuiltinDetectors());
  std::string list;
  const auto report = [&] {
    for (const Finding& finding : scanner.fresh()) {
      if (context.json) {
        AppendItem(list, finding);
      } else {
        std::printf("%s\n", ToJson(finding).c_str());
      }
    }
  };
  std::array<char, 65536> buffer;
  while (const size_t size = std::fread(buffer.data(), 1, buffer.size(), stdin)) {
    scanner.Feed({buffer.data(), size});
    report();
  }
  if (std::ferror(stdin)) return Fail(context, kUsage, "standard input cannot be read");
  scanner.Finish();
  report();
  const char* complete = scanner.complete() ? "true" : "false";
  if (context.json) {
    std::printf(R"({"schema":"portcullis.classify/1","complete":%s,"findings":[%s]})"
                "\n",
                complete, list.c_str());
  } else if (!scanner.complete()) {
    std::fprintf(stderr, "portcullis: the text could not be looked through completely\n");
  }
}

// One line of a batch; an empty string when it went well, else what is wrong with it.
std::string ClassifyLine(std::string_view line) {
  if (line.size() > kMaxLine) return "longer than 64 MiB";
  boost::system::error_code error;
  const json::value value = json::parse(line, error);
  if (error) return "no JSON: " + error.message();
  const json::object* object = value.if_object();
  const json::value* text = object ? object->if_contains("text") : nullptr;
  if (!text || !text->is_string()) return "expected an object with a string `text`";
  Scanner scanner(policy::BuiltinDetectors());
  scanner.Feed(text->get_string());
  scanner.Finish();
  std::string list;
  for (const Finding& finding : scanner.findings()) AppendItem(list, finding);
  std::printf(R"({"findings":[%s]%s})"
              "\n",
              list.c_str(), scanner.complete() ? "" : R"(,"complete":false)");
  return {};
}

// A line that cannot be read is answered by {"error": ...}, so that lines keep matching.
void ClassifyBatch(Context& context) {
  std::string line;
  for (size_t number = 1; std::getline(std::cin, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string problem = ClassifyLine(line);
    if (problem.empty()) continue;
    std::printf("%s\n", json::serialize(json::object{{"error", problem}}).c_str());
    Fail(context, kUsage, "standard input, line " + std::to_string(number) + ": " + problem);
  }
}

}  // namespace

void AddClassify(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "classify", "find personal data, secrets and markings in the text on standard input");
  auto batch = std::make_shared<bool>(false);
  command->add_flag("--batch", *batch, "standard input is one JSON object {\"text\": ...} a line");
  command->footer(
      "Prints one JSON object a finding: class, kind, start, end (bytes), confidence.\n"
      "With --batch one line {\"findings\": [...]} for each line of input. Never prints the text.");
  command->callback([&context, batch] {
    if (*batch) {
      ClassifyBatch(context);
    } else {
      ClassifyInput(context);
    }
  });
}

}  // namespace portcullis::cli
