#include "audit/tpm_link.h"

#include <tss2/tss2_rc.h>
#include <tss2/tss2_tcti_device.h>
#include <tss2/tss2_tcti_swtpm.h>

#include <algorithm>
#include <string_view>

namespace portcullis::audit {
namespace {

// What passes is proved by HMACs, but nothing vouches for a host elsewhere.
constexpr std::string_view kLoopback = "swtpm:host=127.0.0.1,port=";

}  // namespace

Result<std::filesystem::path> CheckTpmName(const std::string& tcti) {
  constexpr std::string_view kDevice = "device:/dev/tpm";
  const bool plain = std::all_of(tcti.begin(), tcti.end(), [](char c) { return c > ' ' && c < 127; });
  if (plain && tcti.starts_with(kDevice) && tcti.find('/', kDevice.size()) == std::string::npos) {
    return std::filesystem::path(tcti.substr(tcti.find('/')));
  }
  constexpr std::string_view kPath = "swtpm:path=/";
  const bool port = NeedsTcp(tcti) && tcti.size() > kLoopback.size() && tcti.size() <= kLoopback.size() + 5 &&
                    std::all_of(tcti.begin() + kLoopback.size(), tcti.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (port || (plain && tcti.starts_with(kPath))) return std::filesystem::path();
  return Error{Code::kInvalidArgument, "the TPM `" + tcti + "` must be like `device:/dev/tpmrm0`, or for one in "
                                       "software `swtpm:path=/SOCKET` or `swtpm:host=127.0.0.1,port=N`"};
}

bool NeedsTcp(const std::string& tcti) { return tcti.starts_with(kLoopback); }

bool IsTpmCode(TSS2_RC rc, TSS2_RC code) {
  const TSS2_RC plain = rc & ~static_cast<TSS2_RC>(TSS2_RC_LAYER_MASK);
  if ((code & TPM2_RC_FMT1) == 0) return plain == code;
  // Without the number of the handle, parameter or session that it is about.
  return (plain & 0xBF) == (code & 0xBF);
}

Error FromTpm(const std::string& what, TSS2_RC rc) {
  std::string why = Tss2_RC_Decode(rc);
  if (IsTpmCode(rc, TPM2_RC_BAD_AUTH) || IsTpmCode(rc, TPM2_RC_AUTH_FAIL)) why = "the authorisation value is not the right one";
  if (rc == TSS2_ESYS_RC_RSP_AUTH_FAILED) why = "the answer does not come from who knows the authorisation value";
  return Error{Code::kCounter, "TPM: cannot " + what + ": " + why};
}

Result<std::unique_ptr<TpmLink>> TpmLink::Open(const std::string& tcti) {
  BOOST_OUTCOME_TRY(const std::filesystem::path device, CheckTpmName(tcti));
  const std::string conf = tcti.substr(tcti.find(':') + 1);
  const auto init = device.empty() ? &Tss2_Tcti_Swtpm_Init : &Tss2_Tcti_Device_Init;
  std::unique_ptr<TpmLink> link(new TpmLink);
  size_t size = 0;
  TSS2_RC rc = init(nullptr, &size, conf.c_str());
  if (rc == TSS2_RC_SUCCESS) {
    link->memory_.resize(size / sizeof(std::max_align_t) + 1);
    rc = init(link->tcti(), &size, conf.c_str());
    link->connected_ = rc == TSS2_RC_SUCCESS;
  }
  if (rc == TSS2_RC_SUCCESS) rc = Esys_Initialize(&link->esys_, link->tcti(), nullptr);
  if (rc != TSS2_RC_SUCCESS) return FromTpm("reach `" + tcti + "`", rc);
  return link;
}

TpmLink::~TpmLink() {
  if (esys_ != nullptr) Esys_Finalize(&esys_);
  if (connected_) Tss2_Tcti_Finalize(tcti());
}

TpmHandle::~TpmHandle() { Esys_FlushContext(esys_, handle_); }

Result<std::unique_ptr<TpmHandle>> StartSession(ESYS_CONTEXT* esys, ESYS_TR salt) {
  TPMT_SYM_DEF aes{};
  aes.algorithm = TPM2_ALG_AES;
  aes.keyBits.aes = 128;
  aes.mode.aes = TPM2_ALG_CFB;
  ESYS_TR handle = ESYS_TR_NONE;
  const TSS2_RC rc = Esys_StartAuthSession(esys, salt, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, nullptr,
                                           TPM2_SE_HMAC, &aes, TPM2_ALG_SHA256, &handle);
  if (rc != TSS2_RC_SUCCESS) return FromTpm("begin a session", rc);
  auto session = std::make_unique<TpmHandle>(esys, handle);
  const unsigned encrypts = salt == ESYS_TR_NONE ? 0 : TPMA_SESSION_DECRYPT;
  const TSS2_RC set =
      Esys_TRSess_SetAttributes(esys, handle, static_cast<TPMA_SESSION>(TPMA_SESSION_CONTINUESESSION | encrypts), 0xFF);
  if (set != TSS2_RC_SUCCESS) return FromTpm("begin a session", set);
  return session;
}

Result<std::unique_ptr<TpmHandle>> MakeSaltKey(ESYS_CONTEXT* esys) {
  TPM2B_PUBLIC shape{};
  TPMT_PUBLIC& area = shape.publicArea;
  area.type = TPM2_ALG_ECC;
  area.nameAlg = TPM2_ALG_SHA256;
  area.objectAttributes = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_FIXEDTPM |
                          TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH;
  area.parameters.eccDetail.symmetric.algorithm = TPM2_ALG_AES;
  area.parameters.eccDetail.symmetric.keyBits.aes = 128;
  area.parameters.eccDetail.symmetric.mode.aes = TPM2_ALG_CFB;
  area.parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
  area.parameters.eccDetail.curveID = TPM2_ECC_NIST_P256;
  area.parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
  const TPM2B_SENSITIVE_CREATE sensitive{};
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION pcrs{};
  ESYS_TR handle = ESYS_TR_NONE;
  const TSS2_RC rc = Esys_CreatePrimary(esys, ESYS_TR_RH_NULL, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive,
                                        &shape, &outside, &pcrs, &handle, nullptr, nullptr, nullptr, nullptr);
  if (rc != TSS2_RC_SUCCESS) return FromTpm("make a key for a session", rc);
  return std::make_unique<TpmHandle>(esys, handle);
}

}  // namespace portcullis::audit
