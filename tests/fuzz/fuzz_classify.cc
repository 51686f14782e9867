// Foreign text through Scanner and Redactor, whole and cut as the input itself says: no crash, the
// same findings and the same output.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/treat/redact.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portcullis::policy;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Scanner whole(BuiltinDetectors());
  whole.Feed(text);
  whole.Finish();
  const auto redacted = Redact(BuiltinDetectors(), RedactionPolicy::All(), text);
  Redactor cut(BuiltinDetectors(), RedactionPolicy::All());
  std::string out;
  for (size_t at = 0; at < size;) {
    const size_t length = 1 + data[at] % 13;
    auto piece = cut.Feed(text.substr(at, length));
    if (!piece) std::abort();
    out += piece.value();
    at += length;
  }
  auto rest = cut.Finish();
  if (!rest || !redacted || out + rest.value() != redacted.value()) std::abort();
  if (!std::equal(whole.findings().begin(), whole.findings().end(), cut.findings().begin(),
                  cut.findings().end())) {
    std::abort();
  }
  return 0;
}
