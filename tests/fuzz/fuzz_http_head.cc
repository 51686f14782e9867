// The request head reader on arbitrary bytes. What it accepts must hold what it promises.
#include <cstdint>
#include <cstdlib>

#include "gateway/http/head_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using portcullis::gateway::http::HeadScanner;
  using portcullis::gateway::http::ParseHead;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  HeadScanner scanner;
  const auto length = scanner.Scan(bytes);
  if (!length || length.value() == 0) return 0;
  const auto head = ParseHead(bytes.substr(0, length.value()));
  if (!head) return 0;
  const auto& h = head.value();
  const bool sound = h.path.starts_with('/') && !h.path.ends_with("/..") &&
                     h.path.find("/../") == std::string::npos && h.Get("host") &&
                     !(h.chunked && h.content_length) && h.path.find('\0') == std::string::npos;
  if (!sound) std::abort();
  return 0;
}
