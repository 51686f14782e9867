// Share files: as they come, and, as nobody guesses a seal, with the bytes sealed to a fixed key, so that what lies
// inside is parsed, too. What is taken keeps to the bounds of FORMAT.md and names its records.

#include <sodium.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "audit/bytes.h"
#include "audit/note.h"
#include "audit/share.h"
#include "certs/secret.h"

using namespace portcullis::audit;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  portcullis::certs::InitSodium();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string origin = "test.example/audit";
  portcullis::certs::SecretBytes secret(kKeySize);
  secret.data()[0] = 1;
  AuditorKey recipient;
  if (crypto_scalarmult_base(recipient.data(), secret.data()) != 0) return 0;
  Shares shares;
  if (shares.Add(bytes, origin, secret)) std::abort();  // nobody has sealed it
  std::string sealed(size + crypto_box_SEALBYTES, '\0');
  crypto_box_seal(reinterpret_cast<uint8_t*>(sealed.data()), data, size, recipient.data());
  const std::string file = "portcullis audit share v1\n" + origin + "\n" + Hex(KeyIdOf(recipient)) + "\n" +
                           Base64(AsBytes(sealed)) + "\n";
  const auto head = shares.Add(file, origin, secret);
  if (!head) return 0;
  const ShareHead& is = head.value();
  if (is.records == 0 || is.records > kMaxShareRecords || is.records > size / 8) std::abort();
  if (is.reason.empty() || is.reason.size() > kMaxShareReason || shares.Knows(0)) std::abort();
  return 0;
}
