// The real portcullis-auditd as a child process, on a socket in the test's folder.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "audit/client.h"

namespace portcullis::audit::test {

class Auditd {
 public:
  // `file_limit` > 0 sets RLIMIT_FSIZE, in bytes.
  Auditd(const std::filesystem::path& folder, std::vector<std::string> extra = {}, uint64_t file_limit = 0);
  ~Auditd();  // SIGKILL, if it still runs
  Auditd(const Auditd&) = delete;
  Auditd& operator=(const Auditd&) = delete;

  // Waits until it serves; an error when it ended instead.
  Result<void> Ready();
  void Kill(int signal);
  int Wait();  // exit status, 128 + signal when killed
  Result<Client> Connect() const;
  std::filesystem::path socket() const { return folder_ / "auditd.sock"; }
  std::filesystem::path words() const { return folder_ / "auditd.log"; }
  pid_t pid() const { return pid_; }

 private:
  std::filesystem::path folder_;
  pid_t pid_ = -1;
  int status_ = -1;  // as of waitpid
};

int RunProgram(const std::vector<std::string>& arguments, std::string* output = nullptr);

}  // namespace portcullis::audit::test
