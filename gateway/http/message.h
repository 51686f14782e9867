// What an HTTP/1.1 message head is to the rest of the gateway: plain values, already validated.
// Made by head_parser (requests) and by the walk (responses). Field names are lower case; values
// are visible ASCII, space and tab. RFC 9110, RFC 9112.
// Threading: values; a RequestHead belongs to one Exchange.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace portcullis::gateway::http {

struct Field {
  std::string name;  // lower case
  std::string value;
};

struct RequestHead {
  std::string method;          // GET HEAD POST PUT PATCH DELETE OPTIONS
  std::string path;            // percent-decoded, starts with '/', no dot or empty segments
  std::optional<size_t> encoded_slash;  // where the first '/' of `path` stands that came as %2F
  std::string query;           // raw, without '?'
  std::vector<Field> fields;   // in order of arrival
  int minor_version = 1;       // HTTP/1.x
  bool keep_alive = true;
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool expect_continue = false;

  // The first field of that (lower-case) name. Fields that decide anything occur at most once:
  // the parser refuses repeats of host, authorization, content-type and their like.
  std::optional<std::string_view> Get(std::string_view name) const;
  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

// Framing fields (content-length, transfer-encoding, connection, date) are the connection's own
// and must not be given.
struct ResponseHead {
  int status = 200;
  std::vector<Field> fields;
};

}  // namespace portcullis::gateway::http
