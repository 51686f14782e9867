// One choice of an answer on its way; a part of ChatAnswer that its two halves share.
#pragma once

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <string>

#include "gateway/respond/chat_answer.h"

namespace portcullis::gateway {

struct ChatAnswer::Choice {
  struct Tool {
    std::string id;
    std::string name;
    std::string arguments;
    OutputFilter filter;
  };

  Choice(uint32_t i, const policy::DetectorSet& detectors, const policy::RedactionPolicy& policy)
      : index(i), content(detectors, policy), reasoning(detectors, policy) {}

  bool Clean() const {
    return !content.found_anything() && !reasoning.found_anything() &&
           std::ranges::none_of(tools, [](const auto& tool) { return tool.second.filter.found_anything(); });
  }

  uint32_t index;
  OutputFilter content;
  OutputFilter reasoning;
  bool answering = false;      // the answer has begun, the reasoning is over
  std::string content_text;    // as delivered
  std::string reasoning_text;  // as delivered
  std::map<uint32_t, Tool> tools;
  // As the engine gave them; they leave only if nothing was found. A list for chat, parallel lists
  // by name for plain text.
  boost::json::array logprobs;
  boost::json::object text_logprobs;
  std::string finish_reason;
};

}  // namespace portcullis::gateway
