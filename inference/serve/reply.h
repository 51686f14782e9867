// Answers in the OpenAI dialect, as JSON: whole completions, the chunks of a stream, the model
// list. One Reply a request: it holds what all its chunks share. Pure; not thread-safe.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "inference/engine.h"
#include "inference/serve/call.h"

namespace portcullis::inference {

// What one choice has said so far; whole answers are collected in it.
struct Choice {
  struct Called {
    std::string id, name, arguments;
  };
  std::string reasoning;
  std::string content;
  std::vector<Called> calls;
  std::vector<ReportedToken> tokens;
  FinishReason reason = FinishReason::kStop;
  Usage usage;
  bool finished = false;

  // Adds more of a call; the first part of each gives it its id.
  void Add(const CallDelta& delta);
};

class Reply {
 public:
  Reply(const Engine& engine, const Call& call);

  boost::json::object Whole(const std::vector<Choice>& choices) const;

  // Chunks of a stream, in this order for each choice.
  boost::json::object First(int index) const;  // chat only
  boost::json::object Middle(int index, const Delta& delta) const;
  // `choice` has taken `delta` already.
  boost::json::object CallChunk(int index, const Choice& choice, const CallDelta& delta) const;
  boost::json::object Last(int index, const Choice& choice) const;
  boost::json::object UsageChunk(const std::vector<Choice>& choices) const;

 private:
  boost::json::object Head(bool chunk) const;
  boost::json::object Chunk(boost::json::object choice) const;
  boost::json::value Logprobs(const std::vector<ReportedToken>& tokens) const;

  bool chat_;
  int choices_per_prompt_;
  bool include_usage_;
  bool logprobs_;
  std::string id_;
  std::string model_;
  std::string fingerprint_;
  int64_t created_;
};

boost::json::object ModelList(const Engine& engine, int64_t created);

}  // namespace portcullis::inference
