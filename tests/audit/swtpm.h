// A TPM 2.0 in software as a child process, on sockets in the test's folder, so that no port is shared. Its memory is
// a folder and outlives it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace portcullis::audit::test {

class Swtpm {
 public:
  explicit Swtpm(std::filesystem::path folder);
  ~Swtpm();  // SIGKILL, if it still runs
  Swtpm(const Swtpm&) = delete;
  Swtpm& operator=(const Swtpm&) = delete;

  static bool Installed();
  // Runs and takes commands; false when it ended instead.
  bool Start();
  void Kill();           // as a chip that is pulled out
  void Signal(int signal) const;
  std::string tcti() const { return "swtpm:path=" + socket().string(); }

 private:
  std::filesystem::path socket() const { return folder_ / "swtpm"; }

  const std::filesystem::path folder_;
  pid_t pid_ = -1;
};

}  // namespace portcullis::audit::test
