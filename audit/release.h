// A release file: the keys of one subject, for chosen weeks, on their way to one auditor. Sealed to the
// auditor's public key, so that nobody else can use it, and made only after a RELEASE record is durable.
// With it and the auditor's secret key the records open anywhere, without the appliance, but for parts that were
// shredded before it was made. RELEASE FILE in
// FORMAT.md. Pure.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/keystore.h"
#include "audit/seal.h"
#include "certs/secret.h"

namespace portcullis::audit {

struct ReleasedKey {
  SubjectKeyId id;
  SubjectKey key;
};

std::string SealRelease(std::string_view origin, const AuditorKey& auditor,
                        const std::vector<ReleasedKey>& keys);

// Keys out of one or more release files.
class ReleasedKeys : public SubjectKeySource {
 public:
  // Adds the file's keys; kTampered or kKeys when it does not open.
  Result<void> Add(std::string_view file, std::string_view origin, const certs::SecretBytes& auditor_secret);
  // Adds a file that is for any of these auditors; the error names the file.
  Result<void> AddFile(const std::filesystem::path& file, std::string_view origin,
                       std::span<const certs::SecretBytes* const> auditor_secrets);
  Result<SubjectKey> KeyOf(const SubjectKeyId& id) override;
  size_t size() const { return keys_.size(); }

 private:
  std::map<SubjectKeyId, SubjectKey> keys_;
};

}  // namespace portcullis::audit
