// Step "classify": looks at every string of a call, of every role, of tools, names and metadata,
// and can give the same call back with what was found masked. Strings are scanned one by one; long
// integers as the text they were written as, so that a card number is found without its quotes.
// Pure functions, any thread. A filter that fails is an Error; text never passes unfiltered.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "gateway/error.h"
#include "policy/classify/scanner.h"
#include "policy/treat/redact.h"

namespace portcullis::gateway {

struct ScanResult {
  std::set<std::string> classes;                // Cedar ids of Gw::DataClass
  std::map<std::string, uint32_t> kinds;        // "email" → how many
  std::set<std::string> subject_jurisdictions;  // whose people the ids belong to
  uint64_t subjects = 0;                        // ids that name a person
  uint8_t top_severity = 0;
  bool complete = true;

  void Add(const policy::Finding& finding);
  // What `other` knows of the same content: classes and kinds join, counts do not add up.
  void MergeClasses(const ScanResult& other);
  // What would still leave after redaction: a marking covers the whole document, a mask cannot
  // take it away.
  std::set<std::string> Unredactable() const;
};

ScanResult ScanStrings(const boost::json::value& value, const policy::DetectorSet& detectors);

// Masks in place. kFilterFailed withholds the whole call.
Result<void> RedactStrings(boost::json::value& value, const policy::DetectorSet& detectors);

}  // namespace portcullis::gateway
