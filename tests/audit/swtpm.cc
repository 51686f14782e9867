#include "tests/audit/swtpm.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

namespace portcullis::audit::test {
namespace {

constexpr const char* kProgram = "/usr/bin/swtpm";

bool Connects(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

}  // namespace

Swtpm::Swtpm(std::filesystem::path folder) : folder_(std::move(folder)) {}

Swtpm::~Swtpm() { Kill(); }

bool Swtpm::Installed() { return ::access(kProgram, X_OK) == 0; }

bool Swtpm::Start() {
  const std::filesystem::path state = folder_ / "swtpm-state";
  std::filesystem::create_directory(state);
  const std::string server = "type=unixio,path=" + socket().string();
  const std::string control = server + ".ctrl", memory = "dir=" + state.string(), log = (folder_ / "swtpm.log").string();
  std::filesystem::remove(socket());
  std::filesystem::remove(socket().string() + ".ctrl");
  pid_ = ::fork();
  if (pid_ == 0) {
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(fd, 1);
    ::dup2(fd, 2);
    ::execl(kProgram, "swtpm", "socket", "--tpm2", "--server", server.c_str(), "--ctrl", control.c_str(), "--tpmstate",
            memory.c_str(), "--flags", "not-need-init,startup-clear", nullptr);
    ::_exit(127);
  }
  while (!Connects(socket().string()) || !Connects(socket().string() + ".ctrl")) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

void Swtpm::Kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void Swtpm::Signal(int signal) const { ::kill(pid_, signal); }

}  // namespace portcullis::audit::test
