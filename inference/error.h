// Errors of the inference island, numbered and stable: they appear in its answers, logs and
// exit codes. This is the only table; every part of the island uses it. Messages name what, where
// and what to do, and never hold a prompt or generated text.
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/all_narrow.hpp>
#include <boost/outcome/try.hpp>
#include <cstdint>
#include <string>

namespace portcullis::inference {

// DO NOT CHANGE THESE VALUES: they are reported across the engine's socket.
enum class Code : uint16_t {
  kOk = 0,
  kIo = 1,               // a file cannot be opened, read or mapped
  kBadFile = 2,          // the bytes break the file format (GGUF, safetensors, JSON)
  kUnsupported = 3,      // well formed, but a type, architecture or feature this engine lacks
  kBadConfig = 4,        // the model's configuration is incomplete or contradicts itself
  kBadTensor = 5,        // a tensor is missing, has a wrong shape or values that are not finite
  kOutOfMemory = 6,
  kInvalidArgument = 7,  // a caller's value is out of range (token id, size, rows)
  kContextLength = 8,    // more tokens than the sequence or the model can hold
  kBadTokenizer = 9,     // tokenizer files or metadata unusable
  kBadTemplate = 10,     // chat template unknown, or messages it cannot express
  kBadRequest = 11,      // malformed call on the engine's socket
  kTooLarge = 12,        // a request or field over its limit
  kNotFound = 13,        // no such key, model or route
  kQueueFull = 14,       // no room for another sequence; try later
  kCancelled = 15,       // the caller left
  kShuttingDown = 16,
  kTimeout = 17,
  kInternal = 18,
};

struct Error {
  Code code = Code::kInternal;
  std::string message;
};

template <class T>
using Result = boost::outcome_v2::basic_result<T, Error, boost::outcome_v2::policy::all_narrow>;

}  // namespace portcullis::inference
