#include "inference/sample/call_scanner.h"

#include <boost/json/parse.hpp>
#include <utility>

namespace portcullis::inference {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The text of a JSON string; empty for anything else.
std::string Unquoted(std::string_view json) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(json, error);
  return error || !value.is_string() ? std::string() : std::string(value.get_string());
}

}  // namespace

size_t JsonExtent::Push(std::string_view text) {
  size_t i = 0;
  for (; i < text.size() && !done_; ++i) {
    const char c = text[i];
    begun_ = true;
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
        done_ = depth_ == 0;
      }
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      done_ = --depth_ <= 0;
    }
  }
  return i;
}

std::string CallScanner::TakeArguments() { return std::exchange(arguments_, {}); }

void CallScanner::EndValue() {
  if (key_ == "name" && !has_name_) {
    name_ = Unquoted(value_);
    has_name_ = true;
  } else if ((key_ == "arguments" || key_ == "parameters") && !has_arguments_) {
    has_arguments_ = true;
    const std::string inner = Unquoted(value_);
    arguments_ += inner.empty() ? "{}" : inner;
  }
  in_value_ = bare_ = stream_ = false;
  state_ = State::kAfterValue;
}

size_t CallScanner::Push(std::string_view text) {
  size_t i = 0;
  while (i < text.size() && state_ != State::kDone && state_ != State::kFailed) {
    const char c = text[i];
    if (in_value_ && !bare_) {
      const size_t taken = extent_.Push(text.substr(i));
      (stream_ ? arguments_ : value_).append(text.substr(i, taken));
      i += taken;
      if (!extent_.done()) continue;
      if (stream_) {
        in_value_ = stream_ = false;
        state_ = State::kAfterValue;
      } else if (state_ == State::kKey) {
        key_ = Unquoted(value_);
        in_value_ = false;
        state_ = State::kColon;
      } else {
        EndValue();
      }
      continue;
    }
    if (bare_ && (c == ',' || c == '}' || IsBlank(c))) {
      EndValue();
      continue;
    }
    ++i;
    if (bare_) {
      value_ += c;
      continue;
    }
    if (IsBlank(c)) continue;
    switch (state_) {
      case State::kOpen:
        state_ = c == '{' ? State::kKey : State::kFailed;
        break;
      case State::kKey:
        if (c == '}') {
          state_ = State::kDone;
        } else if (c == '"') {
          extent_ = {};
          value_.clear();
          in_value_ = true;
          --i;
        } else if (c != ',') {
          state_ = State::kFailed;
        }
        break;
      case State::kColon:
        state_ = c == ':' ? State::kValue : State::kFailed;
        break;
      case State::kValue: {
        const bool arguments = key_ == "arguments" || key_ == "parameters";
        extent_ = {};
        value_.clear();
        in_value_ = true;
        bare_ = c != '"' && c != '{' && c != '[';
        stream_ = arguments && !has_arguments_ && c == '{';
        has_arguments_ = has_arguments_ || stream_;
        --i;
        break;
      }
      case State::kAfterValue:
        state_ = c == ',' ? State::kKey : c == '}' ? State::kDone : State::kFailed;
        break;
      default:
        break;
    }
  }
  return i;
}

}  // namespace portcullis::inference
