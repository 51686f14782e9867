#include "tests/audit/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>

namespace portcullis::audit::test {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& arguments) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Auditd::Auditd(const std::filesystem::path& folder, std::vector<std::string> extra, uint64_t file_limit)
    : folder_(folder) {
  std::vector<std::string> arguments = {
      std::string(PORTCULLIS_BIN_DIR) + "/portcullis-auditd", "--log", (folder / "audit").string(), "--keys",
      (folder / "keys").string(), "--socket", socket().string(), "--max-wait-ms", "60000"};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  std::vector<char*> pointers = Pointers(arguments);
  const std::string log = words().string();
  pid_ = ::fork();
  if (pid_ != 0) return;
  const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(fd, 2);
  if (file_limit > 0) {
    const rlimit limit{file_limit, file_limit};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ::execv(pointers[0], pointers.data());
  ::_exit(127);
}

Auditd::~Auditd() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  Wait();
}

Result<void> Auditd::Ready() {
  for (;;) {
    auto client = Connect();
    if (client) {
      BOOST_OUTCOME_TRY(client.value().GetStatus());
      return Ok();
    }
    if (::waitpid(pid_, &status_, WNOHANG) == pid_) {
      pid_ = -1;
      return Error{Code::kIo, "auditd ended with status " + std::to_string(status_)};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void Auditd::Kill(int signal) { ::kill(pid_, signal); }

int Auditd::Wait() {
  if (pid_ > 0) ::waitpid(pid_, &status_, 0);
  pid_ = -1;
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

Result<Client> Auditd::Connect() const { return Client::Connect(socket(), std::chrono::seconds(60)); }

int RunProgram(const std::vector<std::string>& arguments, std::string* output) {
  std::vector<std::string> copy = arguments;
  std::vector<char*> pointers = Pointers(copy);
  int pipe[2];
  if (::pipe(pipe) != 0) return -1;
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(pipe[1], 1);
    ::close(pipe[0]);
    ::close(pipe[1]);
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
  ::close(pipe[1]);
  std::array<char, 4096> chunk;
  ssize_t got;
  while ((got = ::read(pipe[0], chunk.data(), chunk.size())) > 0) {
    if (output != nullptr) output->append(chunk.data(), static_cast<size_t>(got));
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace portcullis::audit::test
