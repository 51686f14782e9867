// The JSON that records hold, read with its types checked: what is missing or of another type is empty. What
// records say is foreign. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/event.h"

namespace portcullis::audit::fields {

// The JSON object in the part of that type; an empty one where it is missing or no object.
boost::json::object Document(const std::vector<Part>* parts, PartType type, uint64_t& unreadable);
std::string Text(const boost::json::object& object, std::string_view name);
// As Text, in one line: for words that stand in a list of lines.
std::string Line(const boost::json::object& object, std::string_view name);
uint64_t Number(const boost::json::object& object, std::string_view name);
std::vector<std::string> Texts(const boost::json::object& object, std::string_view name);
const boost::json::object* Object(const boost::json::object& object, std::string_view name);

}  // namespace portcullis::audit::fields
