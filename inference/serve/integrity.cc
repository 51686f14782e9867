#include "inference/serve/integrity.h"

#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>

namespace portcullis::inference {
namespace {

constexpr int kLowestPriority = 19;

[[noreturn]] void End(spdlog::logger& log, const char* why) {
  log.critical("ending: {}", why);
  log.flush();
  sd_notify(0, "STATUS=ended: the model is not, or may not be, what it was");
  std::_Exit(1);
}

void Watch(const std::stop_token& stop, Model& model, spdlog::logger& log,
           std::chrono::milliseconds interval) {
  setpriority(PRIO_PROCESS, 0, kLowestPriority);  // of this thread
  std::mutex mutex;
  std::condition_variable_any stopped;
  bool first = true;
  while (!stop.stop_requested()) {
    if (const auto checked = model.CheckIntegrity(stop); !checked) {
      End(log, checked.error().message.c_str());
    }
    if (first && !stop.stop_requested() && model.packed().cached > 0) {
      log.info("all {} packed matrices agree with the model", model.packed().cached);
    }
    first = false;
    std::unique_lock lock(mutex);
    stopped.wait_for(lock, stop, interval, [] { return false; });
  }
}

}  // namespace

IntegrityGuard::IntegrityGuard(Model& model, std::shared_ptr<spdlog::logger> log,
                               std::chrono::milliseconds interval)
    : thread_([&model, log = std::move(log), interval](const std::stop_token& stop) {
        try {
          Watch(stop, model, *log, interval);
        } catch (const std::exception& failure) {
          End(*log, failure.what());
        }
      }) {}

}  // namespace portcullis::inference
