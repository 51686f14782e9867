// What a command says once it has done its work: with --json one document whose first member is its schema, on
// standard output, and otherwise words on standard error.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "gateway/cli/command.h"

namespace portcullis::cli {

// One line. Members may be another program's reply: one named `schema` is left out.
void PrintJson(std::string_view schema, const boost::json::object& members);
void Answer(const Context& context, std::string_view schema, const boost::json::object& members, const std::string& words);

// What auditd replied to an act; empty where that is no JSON object.
boost::json::object ReplyOf(const std::string& text);

}  // namespace portcullis::cli
