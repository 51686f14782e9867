// Keys of subjects out of a release file: encodings as they come, and the same bytes sealed to a fixed key as what a
// release holds. What is taken is encoded as it came, has no share for a punctured part and one for any other.

#include <sodium.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "audit/bytes.h"
#include "audit/note.h"
#include "audit/release.h"
#include "audit/segment.h"
#include "audit/subject_key.h"
#include "certs/secret.h"

using namespace portcullis::audit;

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void Key(std::string_view bytes) {
  auto key = SubjectKey::Decode(portcullis::certs::SecretBytes::CopyOf(AsBytes(bytes)));
  if (!key) return;
  Require(AsText(key.value().encoded().bytes()) == bytes);
  ByteReader in(bytes);
  std::array<uint8_t, kNodeSize> share;
  while (in.left() >= sizeof(TreePoint)) {
    const TreePoint point = in.Get<TreePoint>();
    Require(key.value().Node(point, kTreeDepth, share) != key.value().Punctured(point));
    (void)key.value().Node(point, kChainDepth, share);
  }
  if (key.value().punctures() > 8) return;
  Require(key.value().Puncture(1) || key.value().Punctured(1));
}

void Release(std::string_view bytes) {
  const std::string origin = "test.example/audit";
  portcullis::certs::SecretBytes secret(kKeySize);
  secret.data()[0] = 1;
  AuditorKey auditor;
  Require(crypto_scalarmult_base(auditor.data(), secret.data()) == 0);
  const std::string plain = std::string(AsText(OriginId(origin))) + std::string(bytes);
  std::string sealed(plain.size() + crypto_box_SEALBYTES, '\0');
  crypto_box_seal(reinterpret_cast<uint8_t*>(sealed.data()), AsBytes(plain).data(), plain.size(), auditor.data());
  ReleasedKeys keys;
  (void)keys.Add("portcullis audit release v3\n" + origin + "\n" + Hex(KeyIdOf(auditor)) + "\n" + Base64(AsBytes(sealed)) + "\n",
                 origin, secret);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  portcullis::certs::InitSodium();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Key(bytes);
  Release(bytes);
  return 0;
}
