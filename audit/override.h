// The way out of a refused start: two officers state in writing what they found and why they go on. The
// old log is set aside untouched, a new log with a new origin and a new log key begins, and its first
// RECOVERY record holds the statement. Nothing is repaired silently and the old log keeps saying what it
// says. OVERRIDE in FORMAT.md. auditd must not run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/event.h"
#include "audit/note.h"

namespace portcullis::audit {

struct Override {
  std::string origin;      // of the refused log
  uint64_t size = 0;       // records that its segments hold, as far as they verify
  Hash root{};             // at that size
  std::string new_origin;
  std::string reason;      // one line

  bool operator==(const Override&) const = default;
};

std::string OverrideText(const Override& statement);
Result<Override> ParseOverride(std::string_view text);

// What there is to state about the log in this folder.
Result<Override> PrepareOverride(const std::filesystem::path& log_folder, const std::string& new_origin,
                                 const std::string& reason);
// Adds an officer's signature to a statement (text or note).
Result<std::string> SignOverride(std::string_view statement, const std::filesystem::path& officer_key);

// Checks two different officers' signatures and the facts, sets the old log aside and begins the new
// one. Returns where the old log lies now.
Result<std::filesystem::path> ApplyOverride(const std::filesystem::path& log_folder,
                                            const std::filesystem::path& keys_folder,
                                            std::string_view note);

}  // namespace portcullis::audit
