// tokenizer.json is foreign: whatever the bytes, reading them gives a tokenizer or an error. One
// that reads must encode any text without a control token and decode what it encoded.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "inference/tokenizer/template.h"
#include "inference/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portcullis::inference;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = Tokenizer::FromJson({text, {}, {}, {}});
  if (!tokenizer) return 0;
  for (const std::string_view sample :
       {"Hello,  <s></s> 123\n", "\u00e9\u4f60\U0001F642 \u2581x"}) {
    std::vector<TokenId> ids;
    if (!tokenizer.value()->Encode(sample, Specials::kAsText, ids)) continue;
    Detokenizer detokenizer(*tokenizer.value(), true);
    for (const TokenId id : ids) {
      const bool unknown = tokenizer.value()->vocab().Bytes(id) == "<unk>";
      if (tokenizer.value()->vocab().IsControl(id) && !unknown) std::abort();
      detokenizer.Push(id);
    }
    detokenizer.Finish();
    ids.clear();
    const auto parsed = tokenizer.value()->Encode(sample, Specials::kParse, ids);
    static_cast<void>(parsed);
  }
  return 0;
}
