#include "inference/serve/integrity.h"

#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>

namespace portcullis::inference {
namespace {

constexpr int kLowestPriority = 19;

void Watch(const std::stop_token& stop, Model& model, spdlog::logger& log,
           std::chrono::milliseconds interval) {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kLowestPriority);
  std::mutex mutex;
  std::condition_variable_any stopped;
  bool first = true;
  while (!stop.stop_requested()) {
    if (const auto checked = model.CheckIntegrity(stop); !checked) {
      log.critical("ending: {}", checked.error().message);
      log.flush();
      sd_notify(0, "STATUS=ended: the model is not what it was");
      std::_Exit(1);
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
        Watch(stop, model, *log, interval);
      }) {}

}  // namespace portcullis::inference
