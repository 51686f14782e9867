#include "audit/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace portcullis::audit {
namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr size_t kBar = 20;
constexpr double kSettled = 0.5;  // seconds after which a rate says something

std::string Minutes(double seconds) {
  const auto whole = static_cast<uint64_t>(seconds + 0.5);
  const uint64_t rest = whole % 60;
  return std::to_string(whole / 60) + (rest < 10 ? ":0" : ":") + std::to_string(rest);
}

}  // namespace

std::string ProgressLine(std::string_view what, uint64_t done, uint64_t total, std::string_view things, uint64_t count,
                         double seconds) {
  std::string line(what);
  done = total > 0 ? std::min(done, total) : done;
  if (total > 0) {
    const double share = static_cast<double>(done) / static_cast<double>(total);
    const auto filled = static_cast<size_t>(share * static_cast<double>(kBar));
    line += " " + std::to_string(static_cast<unsigned>(share * 100)) + " % [" + std::string(filled, '#') +
            std::string(kBar - filled, '.') + "]";
  }
  line += " " + std::to_string(count) + " " + std::string(things);
  if (seconds < kSettled) return line;
  line += ", " + std::to_string(static_cast<uint64_t>(static_cast<double>(count) / seconds)) + "/s, ";
  if (total == 0 || done == 0) return line + Minutes(seconds);
  return line + Minutes(seconds * static_cast<double>(total - done) / static_cast<double>(done)) + " left";
}

bool Progress::OnTerminal() { return ::isatty(STDERR_FILENO) == 1; }

std::function<void(uint64_t, uint64_t)> Progress::Sink() {
  if (!shown_) return nullptr;
  return [this](uint64_t done, uint64_t count) { Update(done, count); };
}

void Progress::Update(uint64_t done, uint64_t count) {
  if (!shown_) return;
  const auto now = Steady::now();
  if (now < next_) return;
  next_ = now + kInterval;
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  std::fprintf(stderr, "\r%s\x1b[K", ProgressLine(what_, done, total_, things_, count, seconds).c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::Finish() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace portcullis::audit
