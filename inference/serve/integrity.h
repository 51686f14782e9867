// Watches over what the engine answers with, from READY on: first the packed weights that came from
// a cache are packed again and compared, then the model's files are looked at every few seconds.
// Where anything is not what the audit log says it is, the process ends at once, with what differs in the
// log and exit code 1; the supervisor starts it again and clients see 503 meanwhile.
// A thread of its own, at the lowest priority; it is started inside the sandbox.
#pragma once

#include <spdlog/logger.h>

#include <chrono>
#include <memory>
#include <thread>

#include "inference/arch/model.h"

namespace portcullis::inference {

class IntegrityGuard {
 public:
  // `model` must outlive the guard.
  IntegrityGuard(Model& model, std::shared_ptr<spdlog::logger> log,
                 std::chrono::milliseconds interval = std::chrono::seconds(5));

 private:
  std::jthread thread_;
};

}  // namespace portcullis::inference
