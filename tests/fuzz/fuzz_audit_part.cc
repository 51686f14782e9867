// Part release files: as they come, and, as nobody guesses a seal, with the bytes sealed to a fixed key, so
// that what lies inside is parsed, too. Nothing that comes out was not proved, so nothing comes out.

#include <sodium.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "audit/bytes.h"
#include "audit/part_release.h"
#include "certs/secret.h"

using namespace portcullis::audit;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  portcullis::certs::InitSodium();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const VerifierKey log{"test.example/audit", {}, NoteKeyType::kEd25519};
  portcullis::certs::SecretBytes secret(kKeySize);
  secret.data()[0] = 1;
  AuditorKey recipient;
  if (crypto_scalarmult_base(recipient.data(), secret.data()) != 0) return 0;
  if (OpenPartRelease(bytes, log, secret)) std::abort();
  std::string sealed(size + crypto_box_SEALBYTES, '\0');
  crypto_box_seal(reinterpret_cast<uint8_t*>(sealed.data()), data, size, recipient.data());
  const std::string file = "portcullis audit part v1\n" + log.name + "\n" + Hex(KeyIdOf(recipient)) + "\n" +
                           Base64(AsBytes(sealed)) + "\n";
  if (OpenPartRelease(file, log, secret)) std::abort();
  return 0;
}
