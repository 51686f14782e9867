// Errors of the certs island: numbered codes, one struct, one Result.
// Codes are stable (the gateway maps them to HTTP statuses and exit codes): add, never renumber.
// Messages name what, where and what to do; they never hold key material.
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/all_narrow.hpp>
#include <boost/outcome/success_failure.hpp>
#include <boost/outcome/try.hpp>
#include <cstdint>
#include <string>

namespace portcullis::certs {

enum class Code : uint16_t {
  kInvalidArgument = 100,
  kNotFound = 101,
  kExists = 102,
  kPermission = 103,  // wrong owner, mode or file kind
  kBadFormat = 104,
  kIo = 105,
  kCrypto = 106,
  kExpired = 107,
  kRevoked = 108,
  kUntrusted = 109,
  kUnsupported = 110,
};

struct Error {
  Code code = Code::kInvalidArgument;
  std::string message;
};

template <class T>
using Result =
    boost::outcome_v2::basic_result<T, Error, boost::outcome_v2::policy::all_narrow>;

inline auto Ok() { return boost::outcome_v2::success(); }

}  // namespace portcullis::certs
