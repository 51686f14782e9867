// The body of a call of a model, chat or not, from bytes to the call that an engine would get, scanned
// and redacted on the way.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/classify/chat_request.h"
#include "gateway/classify/prompt_scan.h"
#include "gateway/classify/text_request.h"
#include "gateway/http/json_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portcullis::gateway;
  auto document = http::ReadJson({reinterpret_cast<const char*>(data), size});
  if (!document) return 0;
  auto call = ParseChat(document.value(), ChatLimits{});
  if (!call) call = ParseText(document.value(), ChatLimits{});
  if (!call) call = ParseEmbedding(document.value(), ChatLimits{});
  if (!call) return 0;
  boost::json::value body = call.value().body;
  const auto& detectors = portcullis::policy::BuiltinDetectors();
  if (!RedactStrings(body, detectors)) std::abort();
  // What was masked must not be found again.
  const ScanResult left = ScanStrings(body, detectors);
  if (left.kinds.contains("pan")) std::abort();
  return 0;
}
