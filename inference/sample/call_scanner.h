// Reads {"name": …, "arguments": {…}} as it is written, a piece at a time, and gives the name and the
// arguments' JSON text as soon as they stand. `parameters` is another word for `arguments`; other
// members are skipped; arguments that are a string of JSON are unwrapped. Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace portcullis::inference {

// Follows one JSON value; knows where it ends, does not check it otherwise.
class JsonExtent {
 public:
  // Takes bytes up to the value's end; returns how many. The value begins with `{` or `[`, or is a
  // string.
  size_t Push(std::string_view text);
  bool done() const { return done_; }

 private:
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool begun_ = false;
  bool done_ = false;
};

class CallScanner {
 public:
  enum class State { kOpen, kKey, kColon, kValue, kAfterValue, kDone, kFailed };

  // Takes bytes up to the object's end; returns how many.
  size_t Push(std::string_view text);
  bool done() const { return state_ == State::kDone; }
  bool failed() const { return state_ == State::kFailed; }
  bool has_name() const { return has_name_; }
  bool has_arguments() const { return has_arguments_; }
  const std::string& name() const { return name_; }
  // The arguments that came since the last call.
  std::string TakeArguments();

 private:
  void EndValue();

  State state_ = State::kOpen;
  JsonExtent extent_;
  bool in_value_ = false;
  bool bare_ = false;    // a number, true, false or null
  bool stream_ = false;  // the value is the arguments' object
  std::string key_, value_, name_, arguments_;
  bool has_name_ = false;
  bool has_arguments_ = false;
};

}  // namespace portcullis::inference
