#include "audit/cosignature.h"

#include "audit/bytes.h"
#include "audit/signer.h"

namespace portcullis::audit {
namespace {

std::string SignedText(std::string_view checkpoint_text, uint64_t time) {
  return "cosignature/v1\ntime " + std::to_string(time) + "\n" + std::string(checkpoint_text);
}

}  // namespace

std::string Cosign(std::string_view checkpoint_text, uint64_t time, const VerifierKey& witness,
                   const certs::SecretBytes& secret) {
  std::string raw;
  ByteWriter out(raw);
  out.Put(time);
  out.PutBytes(SignEd25519(SignedText(checkpoint_text, time), secret));
  return SignatureLine(witness, AsBytes(raw));
}

Result<std::vector<Cosigned>> Cosignatures(const Note& note, std::span<const VerifierKey> witnesses) {
  std::vector<Cosigned> found;
  for (const NoteSignature& signature : note.signatures) {
    for (const VerifierKey& witness : witnesses) {
      if (witness.type != NoteKeyType::kCosignature || signature.name != witness.name ||
          signature.key_id != witness.Id()) {
        continue;
      }
      ByteReader in(signature.bytes);
      const uint64_t time = in.Get<uint64_t>();
      const Signature bytes = in.GetArray<64>();
      if (!in.Finished() || time > INT64_MAX ||
          !VerifyEd25519(SignedText(note.text, time), bytes, witness.key)) {
        return Error{Code::kTampered, "note: the cosignature of `" + witness.name + "` is wrong"};
      }
      found.push_back(Cosigned{witness, time, std::string(signature.line) + "\n"});
    }
  }
  return found;
}

}  // namespace portcullis::audit
