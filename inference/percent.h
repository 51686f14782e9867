// Percent-encoding of URIs (RFC 3986, 2.1): in the paths of requests and in references of JSON schemas.
#pragma once

#include <string>
#include <string_view>

namespace portcullis::inference {

// With the bytes that `text` writes as %XX; a text with one that is not well written stays as it is. No longer than `text`.
std::string PercentDecoded(std::string_view text);

}  // namespace portcullis::inference
