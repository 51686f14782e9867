#include "gateway/cli/answer.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>

namespace portcullis::cli {

namespace json = boost::json;

void PrintJson(std::string_view schema, const json::object& members) {
  json::object out{{"schema", schema}};
  for (const auto& [name, value] : members) out.emplace(name, value);  // what stands there stays
  std::cout << json::serialize(out) << std::endl;
}

void Answer(const Context& context, std::string_view schema, const json::object& members, const std::string& words) {
  if (context.json) PrintJson(schema, members);
  else std::cerr << words << "\n";
}

json::object ReplyOf(const std::string& text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  return error || !value.is_object() ? json::object() : std::move(value.get_object());
}

}  // namespace portcullis::cli
