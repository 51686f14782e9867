// The table of detectors. Between overlapping candidates of equal strength the earlier line wins.
#include "policy/classify/detector_set.h"
#include "policy/classify/detectors/all.h"

namespace portcullis::policy {

const DetectorSet& BuiltinDetectors() {
  static const Detector* const kTable[] = {
      &kPrivateKey,
      &kJwt,
      &kGithub,
      &kAws,
      &SecretPrefixDetector(),
      &kConnectionString,
      &kMarking,
      &kPan,
      &kIban,
      &kUsSsn,
      &kKrRrn,
      &kDkCpr,
      &kNlBsn,
      &kInAadhaar,
      &kEmail,
      &kPhone,
      &kIpv4,
      &kIpv6,
  };
  static const DetectorSet set(kTable);
  return set;
}

}  // namespace portcullis::policy
