#include "gateway/cli/numbers.h"

#include <charconv>
#include <cstdint>
#include <string>

namespace portcullis::cli {
namespace {

std::string PlainNumber(std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
  if (digits && error == std::errc() && end == text.data() + text.size()) return {};
  return "`" + text + "` is no whole number from 0 to " + std::to_string(INT64_MAX);
}

}  // namespace

void GuardNumbers(CLI::App& app) {
  for (CLI::Option* option : app.get_options([](CLI::Option* one) { return one->get_type_name().starts_with("UINT"); })) {
    option->check(CLI::Validator(PlainNumber, ""));
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) GuardNumbers(*command);
}

}  // namespace portcullis::cli
