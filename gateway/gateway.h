// The composition root: the only place that builds concrete types and knows all of them.
// Start() binds and loads everything or fails with the reason; Run() blocks until Stop().
// Threading: Stop() and Reload() may be called from any thread, also from a signal handler's thread.
#pragma once

#include <functional>
#include <memory>

#include "gateway/config.h"
#include "gateway/error.h"

namespace portcullis::gateway {

class Gateway {
 public:
  static Result<std::unique_ptr<Gateway>> Start(const Config& config);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  uint16_t api_port() const;
  uint16_t admin_port() const;  // 0: no admin listener
  void Run();
  // Drains: no new connections, running streams end or are cut off after the drain time.
  void Stop();
  // Loads certificates, revocation lists and policies again. What fails keeps its last good state.
  Result<void> Reload();

 private:
  struct Parts;
  explicit Gateway(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace portcullis::gateway
