// From one log's key to the next: a note in the new log's folder, signed by the keys of both, that says after which
// record of the old log the new one begins. Who holds the old log's key and nothing else can so check the new
// log. Made where a log is set aside in favour of another (override.h), while the old key is still there; it
// counts for no verdict, its absence proves nothing. SUCCESSION in FORMAT.md. Pure but for reading the file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/note.h"
#include "certs/secret.h"

namespace portcullis::audit {

struct Succession {
  VerifierKey old_key;     // its name is the old log's origin
  Checkpoint old_head;     // all that the old log holds
  VerifierKey new_key;
};

// The note, signed by both.
std::string MakeSuccession(const Succession& succession, const certs::SecretBytes& old_secret,
                           const certs::SecretBytes& new_secret);
// Fails when one of the signatures is missing or wrong.
Result<Succession> OpenSuccession(std::string_view note);

// The key to check the log in this folder against: `key`, or, where that is the old log's, the successor that it has
// named. Tells in `notes` what the note proves, in `warnings` that it is not good.
VerifierKey FollowSuccession(const std::filesystem::path& log_folder, const VerifierKey& key,
                             std::vector<std::string>& notes, std::vector<std::string>& warnings);

}  // namespace portcullis::audit
