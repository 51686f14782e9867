// Step "classify": what does the call hold? Every string of the body as it came, not only of the
// fields that an engine will see.
#include "gateway/http/json_reader.h"
#include "gateway/walk.h"

namespace portcullis::gateway {

Result<ScanResult> Classify(Call& call) {
  if (!call.chat) return ScanResult{};
  http::JsonLimits limits;
  limits.bytes = call.route->body_limit;
  BOOST_OUTCOME_TRY(auto document, http::ReadJson(call.body, limits));
  call.found = ScanStrings(document, call.services.detectors);
  // The rebuilt call too: text parts are joined there, and what stood in two of them may be one.
  call.found.MergeClasses(ScanStrings(call.chat->body, call.services.detectors));
  // Token ids hide their text.
  if (call.chat->unreadable) call.found.complete = false;
  return call.found;
}

}  // namespace portcullis::gateway
