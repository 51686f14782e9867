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

json::object ToJson(const Finding& finding) {
  json::object object;
  object["class"] = finding.data_class;
  object["kind"] = finding.kind;
  object["start"] = finding.start;
  object["end"] = finding.end;
  // Two digits are all that a confidence says.
  object["confidence"] =
      static_cast<double>(static_cast<int>(finding.confidence * 100 + 0.5f)) / 100;
  return object;
}

void PrintLine(const json::value& value) { std::printf("%s\n", json::serialize(value).c_str()); }

void ClassifyInput(Context& context) {
  Scanner scanner(policy::BuiltinDetectors());
  json::array all;
  const auto report = [&] {
    for (const Finding& finding : scanner.fresh()) {
      if (context.json) {
        all.push_back(ToJson(finding));
      } else {
        PrintLine(ToJson(finding));
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
  if (context.json) {
    PrintLine(json::object{{"schema", "portcullis.classify/1"},
                           {"findings", std::move(all)},
                           {"complete", scanner.complete()}});
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
  json::array findings;
  for (const Finding& finding : scanner.findings()) findings.push_back(ToJson(finding));
  json::object answer{{"findings", std::move(findings)}};
  if (!scanner.complete()) answer["complete"] = false;
  PrintLine(answer);
  return {};
}

// A line that cannot be read is answered by {"error": ...}, so that lines keep matching.
void ClassifyBatch(Context& context) {
  std::string line;
  for (size_t number = 1; std::getline(std::cin, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string problem = ClassifyLine(line);
    if (problem.empty()) continue;
    PrintLine(json::object{{"error", problem}});
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
