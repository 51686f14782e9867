// Every detector that ships. One family a file in this folder; a new one is declared here and
// listed in builtin.cc.
#pragma once

#include "policy/classify/detector.h"

namespace portcullis::policy {

extern const Detector kEmail, kPhone;                                       // Contact
extern const Detector kPan, kIban;                                          // Financial
extern const Detector kUsSsn, kDkCpr, kNlBsn, kInAadhaar, kKrRrn;           // GovernmentId
extern const Detector kPrivateKey, kJwt, kAws, kGithub, kConnectionString;  // Secret
const Detector& SecretPrefixDetector();
extern const Detector kMarking;      // Classified
extern const Detector kIpv4, kIpv6;  // Network

}  // namespace portcullis::policy
