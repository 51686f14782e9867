// The chunked decoder: the same bytes in one piece and byte by byte give the same answer.
#include <cstdint>
#include <cstdlib>

#include "gateway/http/chunked.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using portcullis::gateway::http::ChunkedDecoder;
  constexpr size_t kLimit = 4096;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ChunkedDecoder whole(kLimit);
  std::string once;
  const auto used = whole.Feed(bytes, once);

  ChunkedDecoder pieces(kLimit);
  std::string piecewise;
  bool failed = false;
  for (size_t i = 0; i < size && !failed && !pieces.done(); ++i) {
    failed = !pieces.Feed(bytes.substr(i, 1), piecewise);
  }
  if (failed != !used || once != piecewise || whole.done() != pieces.done()) std::abort();
  if (once.size() > kLimit) std::abort();
  return 0;
}
