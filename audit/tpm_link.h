// A way to a TPM 2.0 and what goes over it: the context of the TPM's library, sessions, errors in words. Only two
// ways are spoken, the kernel's device and swtpm's sockets; both are linked, none is loaded by name. Blocks as long
// as the TPM does. One thread at a time.
#pragma once

#include <tss2/tss2_esys.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "audit/error.h"

namespace portcullis::audit {

// The device file of a `device:` name; empty for others. kInvalidArgument where the name is none that is spoken.
Result<std::filesystem::path> CheckTpmName(const std::string& tcti);
// Sockets are opened anew for each command.
bool NeedsTcp(const std::string& tcti);

// Whether the TPM, or who speaks for it, gave this code.
bool IsTpmCode(TSS2_RC rc, TSS2_RC code);
Error FromTpm(const std::string& what, TSS2_RC rc);

template <class T>
struct EsysFree {
  void operator()(T* memory) const { Esys_Free(memory); }
};
template <class T>
using EsysPtr = std::unique_ptr<T, EsysFree<T>>;

// An open way and a context over it.
class TpmLink {
 public:
  static Result<std::unique_ptr<TpmLink>> Open(const std::string& tcti);
  ~TpmLink();
  TpmLink(const TpmLink&) = delete;
  TpmLink& operator=(const TpmLink&) = delete;
  ESYS_CONTEXT* esys() { return esys_; }

 private:
  TpmLink() = default;
  TSS2_TCTI_CONTEXT* tcti() { return reinterpret_cast<TSS2_TCTI_CONTEXT*>(memory_.data()); }

  ESYS_CONTEXT* esys_ = nullptr;
  std::vector<std::max_align_t> memory_;
  bool connected_ = false;
};

// A handle inside the TPM that is flushed at its end.
class TpmHandle {
 public:
  TpmHandle(ESYS_CONTEXT* esys, ESYS_TR handle) : esys_(esys), handle_(handle) {}
  ~TpmHandle();
  TpmHandle(const TpmHandle&) = delete;
  TpmHandle& operator=(const TpmHandle&) = delete;
  ESYS_TR get() const { return handle_; }

 private:
  ESYS_CONTEXT* const esys_;
  const ESYS_TR handle_;
};

// An HMAC session: both sides prove that they know the authorisation value, which itself does not travel. With
// `salt`, a key of the TPM, what is sent first in it is encrypted under a secret that only that key opens.
Result<std::unique_ptr<TpmHandle>> StartSession(ESYS_CONTEXT* esys, ESYS_TR salt = ESYS_TR_NONE);
// A passing P-256 key for a session's salt.
Result<std::unique_ptr<TpmHandle>> MakeSaltKey(ESYS_CONTEXT* esys);

}  // namespace portcullis::audit
