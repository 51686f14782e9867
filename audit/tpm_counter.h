// The hardware counter of a log in a TPM 2.0: an NV index of type counter, read and incremented under its own
// authorisation value (tpm.key) in HMAC sessions, so that nobody without that value can move it, and nobody on the
// way to the chip can answer in its place. The index is bound to the log's key by its policy digest. Whoever holds
// the TPM's owner authorisation can delete it, and make it again: then the TPM begins above every counter that it
// ever had. One thread at a time; calls block as long as the TPM does. COUNTER in FORMAT.md; TPM 2.0 Library, part 1, 37.2.5 (NV counters).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "audit/counter.h"
#include "audit/error.h"
#include "audit/note.h"

namespace portcullis::audit {

inline constexpr uint32_t kFirstTpmIndex = 0x01800000;  // of those that the owner of a TPM may define
inline constexpr uint32_t kLastTpmIndex = 0x01BFFFFF;
inline constexpr uint32_t kDefaultTpmIndex = 0x018F5043;

struct TpmOptions {
  std::string tcti;                    // `device:/dev/tpmrm0`, `swtpm:path=/SOCKET` or `swtpm:host=127.0.0.1,port=N`
  uint32_t index = kDefaultTpmIndex;
  std::filesystem::path keys_folder;   // tpm.key; tpm-owner.password, where the TPM's owner has one
  VerifierKey log;                     // whose counter it is
};

class TpmCounter : public MonotonicCounter {
 public:
  // Connects; later calls connect again where the connection broke.
  static Result<std::unique_ptr<TpmCounter>> Open(TpmOptions options);
  ~TpmCounter() override;

  Result<Found> Find() override;
  Result<void> Create() override;
  Result<uint64_t> Read() override;
  Result<uint64_t> Increment() override;
  Hash Name() const override { return name_; }
  std::string Words() const override;

 private:
  struct Connection;
  explicit TpmCounter(TpmOptions options);
  Result<Connection*> Connect();
  Result<Connection*> Ours();
  Result<Found> Look();
  Result<void> Define();

  const TpmOptions options_;
  std::unique_ptr<Connection> connection_;
  Hash name_{};
};

}  // namespace portcullis::audit
