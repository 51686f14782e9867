// Errors of the audit island: numbered codes, one struct, one Result.
// The codes travel in acknowledgements (protocol.h): add, never renumber. Messages name what, where
// and what to do; they never hold content of records or key material.
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/all_narrow.hpp>
#include <boost/outcome/success_failure.hpp>
#include <boost/outcome/try.hpp>
#include <cstdint>
#include <string>

#include "certs/error.h"

namespace portcullis::audit {

enum class Code : uint16_t {
  kInvalidArgument = 300,
  kBadFrame = 301,      // malformed bytes on the socket
  kTooLarge = 302,      // over kMaxFrame, kMaxEvents or another bound
  kInvalidEvent = 303,  // well-formed, but the log cannot take it (an unknown parent and the like)
  kOverloaded = 304,    // waited longer than the bound in the queue, or the queue is full
  kDiskLow = 305,       // below the watermark, or a write found no space
  kPoisoned = 306,      // an fsync failed: this writer never writes again
  kStopping = 307,
  kIo = 308,
  kCrypto = 309,
  kBadFormat = 310,     // a file of the log is malformed
  kTampered = 311,
  kRolledBack = 312,
  kForked = 313,
  kLocked = 314,        // another writer holds the log
  kNotFound = 315,
  kExists = 316,
  kPermission = 317,
  kKeys = 318,          // a key file is missing, damaged or readable by others
  kHeld = 319,          // a legal hold forbids the erasure
  kCounter = 320,       // the hardware counter does not answer, or the log needs one
  kOtherAuditor = 321,  // sealed to other auditors than those whose keys were given, or to two of them
};

struct Error {
  Code code = Code::kInvalidArgument;
  std::string message;
};

template <class T>
using Result =
    boost::outcome_v2::basic_result<T, Error, boost::outcome_v2::policy::all_narrow>;

inline auto Ok() { return boost::outcome_v2::success(); }

// An error of the keyring, seen from here.
inline Error FromCerts(const certs::Error& error) {
  const Code code = error.code == certs::Code::kNotFound ? Code::kNotFound
                    : error.code == certs::Code::kExists ? Code::kExists
                                                         : Code::kKeys;
  return Error{code, error.message};
}

}  // namespace portcullis::audit
