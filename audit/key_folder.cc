#include "audit/key_folder.h"

#include <system_error>

#include "audit/layout.h"
#include "audit/segment.h"

namespace portcullis::audit {

Result<void> CheckKeysAreOf(const std::filesystem::path& keys_folder, const VerifierKey& log_key) {
  const auto auditors = LoadAuditors(keys_folder, log_key);
  if (auditors) return Ok();
  const std::string set_aside = "log.key.refused-" + Hex(OriginId(log_key.name)).substr(0, 8) + "-";
  std::error_code error;
  for (std::filesystem::directory_iterator entry(keys_folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().filename().string().starts_with(set_aside)) return Ok();
  }
  return Error{Code::kKeys, "the keys in `" + keys_folder.string() + "` are not those of the log `" + log_key.name +
                                "`: " + auditors.error().message};
}

}  // namespace portcullis::audit
