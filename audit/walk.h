// Paths below a folder that is given, without symbolic links. What an administrator names (--log) may lie behind links;
// what lies in it may not, or whoever may write there could lead a privileged auditd elsewhere. Within(folder) marks the
// border by a component `.`, which the path keeps: behind it each folder is opened by its name in the one before
// (openat, O_NOFOLLOW), so that no check can be overtaken by a change; the same on every kernel. Paths without a `.`
// are taken as the system takes them. The calls return and set errno as their system calls; a link in the way
// is ELOOP. Thread-safe.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "audit/error.h"

namespace portcullis::audit {

inline std::filesystem::path Within(const std::filesystem::path& folder) { return folder / "."; }

std::string ShownPath(const std::filesystem::path& path);  // as a person would write it

int OpenPath(const std::filesystem::path& path, int flags, mode_t mode = 0);  // O_CLOEXEC; behind a `.` O_NOFOLLOW
int MakePath(const std::filesystem::path& path);                              // one folder, 0700
int UnlinkPath(const std::filesystem::path& path);
int RenamePath(const std::filesystem::path& from, const std::filesystem::path& to);

// The folder and those above it up to the border, as far as they are missing.
Result<void> MakeFolders(const std::filesystem::path& path);
// The names in a folder, in no order.
Result<std::vector<std::string>> ListFolder(const std::filesystem::path& path);
// A folder and the files in it; what cannot be removed stays.
void RemoveFolder(const std::filesystem::path& path);

}  // namespace portcullis::audit
