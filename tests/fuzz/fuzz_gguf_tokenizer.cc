// The vocabulary of a GGUF file: whatever the metadata says, it is a tokenizer or an error. One
// that reads encodes text without a control token, other than the one the file has for unknown
// characters.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "inference/model/gguf.h"
#include "inference/tokenizer/template.h"
#include "inference/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portcullis::inference;
  const auto file = gguf::File::Parse({reinterpret_cast<const std::byte*>(data), size});
  if (!file) return 0;
  const auto tokenizer = Tokenizer::FromGguf(*file.value());
  if (!tokenizer) return 0;
  const Vocab& vocab = tokenizer.value()->vocab();
  constexpr int64_t kUnknown = 2;
  const auto types = file.value()->Ints("tokenizer.ggml.token_type");
  std::vector<TokenId> ids;
  if (tokenizer.value()->Encode("Hello,  <s></s> ab\n", Specials::kAsText, ids)) {
    Detokenizer detokenizer(*tokenizer.value(), true);
    for (const TokenId id : ids) {
      const bool unknown = types && types.value()[static_cast<size_t>(id)] == kUnknown;
      if (vocab.IsControl(id) && !unknown) std::abort();
      detokenizer.Push(id);
    }
    detokenizer.Finish();
  }
  static_cast<void>(ChatTemplate::Recognise(*tokenizer.value()).has_value());
  return 0;
}
