// The grammar of RFC 9112 read at its narrowest. Order matters only where it decides the answer:
// the scanner refuses control bytes first, then the request line, then fields one by one, then the
// rules between fields (one Host, one way of framing). Every refusal says which rule was broken
// and never repeats the caller's bytes.
#include "gateway/http/head_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace portcullis::gateway::http {
namespace {

Error Bad(std::string message) { return Error{Code::kBadRequest, std::move(message)}; }

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsVisible(char c) { return c > ' ' && c < 0x7f; }
bool IsTokenChar(char c) {
  return IsDigit(c) || IsAlpha(c) ||
         (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool EqualsIgnoreCase(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(),
                    [](char a, char b) { return Lower(a) == b; });
}

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  const char l = Lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    if (lead < 0x80) continue;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i < static_cast<size_t>(more)) return false;
    uint32_t rune = lead & (0x3fu >> more);
    for (int k = 0; k < more; ++k) {
      const auto next = static_cast<unsigned char>(text[i++]);
      if ((next & 0xc0) != 0x80) return false;
      rune = rune << 6 | (next & 0x3f);
    }
    const bool overlong = (more == 2 && rune < 0x800) || (more == 3 && rune < 0x10000);
    if (overlong || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return false;
  }
  return true;
}

// Decodes and validates the path so that the router and the log see the one possible reading.
Result<std::string> DecodePath(std::string_view raw, std::optional<size_t>& encoded_slash) {
  std::string path;
  path.reserve(raw.size());
  for (size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '%') {
      const int high = i + 1 < raw.size() ? HexValue(raw[i + 1]) : -1;
      const int low = i + 2 < raw.size() ? HexValue(raw[i + 2]) : -1;
      if (high < 0 || low < 0) return Bad("bad percent-encoding in the path");
      c = static_cast<char>(high * 16 + low);
      i += 2;
      if (c == '\\') return Bad("encoded backslash in the path");
      if (c == '/' && !encoded_slash) encoded_slash = path.size();
      if (c == '%') return Bad("doubly encoded path");
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        return Bad("encoded control byte in the path");
      }
    } else if (c == '\\') {
      return Bad("backslash in the path");
    }
    path.push_back(c);
  }
  if (!IsUtf8(path)) return Bad("path is not UTF-8");
  for (size_t start = 1; start <= path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    const std::string_view segment = std::string_view(path).substr(start, end - start);
    if (segment == "." || segment == "..") return Bad("dot segment in the path");
    if (segment.empty() && path.size() > 1) return Bad("empty segment in the path");
    start = end + 1;
  }
  return path;
}

Result<void> ParseRequestLine(std::string_view line, RequestHead& head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || first == 0) {
    return Bad("request line is not `METHOD target HTTP/1.1`");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);

  if (!std::all_of(method.begin(), method.end(), IsTokenChar)) return Bad("method is not a token");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return Bad("only HTTP/1.1 and HTTP/1.0 are spoken here");
  }
  head.minor_version = version.back() - '0';
  head.keep_alive = head.minor_version == 1;

  constexpr std::array<std::string_view, 7> kMethods = {"GET",   "HEAD",   "POST",   "PUT",
                                                        "PATCH", "DELETE", "OPTIONS"};
  if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) {
    return Error{Code::kMethodNotAllowed, "method is not served; CONNECT and TRACE never are"};
  }
  head.method = method;

  if (!std::all_of(target.begin(), target.end(), IsVisible)) {
    return Bad("target holds spaces, control or 8-bit bytes");
  }
  if (target.empty() || target.front() != '/') {
    return Bad("target must be a path: absolute, authority and asterisk forms are refused");
  }
  if (target.find('#') != std::string_view::npos) return Bad("target holds a fragment");
  const size_t question = target.find('?');
  BOOST_OUTCOME_TRY(head.path, DecodePath(target.substr(0, question), head.encoded_slash));
  if (question != std::string_view::npos) head.query = target.substr(question + 1);
  return boost::outcome_v2::success();
}

Result<Field> ParseField(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') return Bad("folded field line");
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Bad("field line without a colon");
  const std::string_view name = line.substr(0, colon);
  if (name.empty() || !std::all_of(name.begin(), name.end(), IsTokenChar)) {
    return Bad("field name is not a token");
  }
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  const bool clean = std::all_of(value.begin(), value.end(), [](char c) {
    return IsVisible(c) || c == ' ' || c == '\t';
  });
  if (!clean) return Bad("field value holds 8-bit bytes");

  Field field;
  field.name.resize(name.size());
  std::transform(name.begin(), name.end(), field.name.begin(), Lower);
  field.value = value;
  return field;
}

// host = uri-host [":" port]; user information, spaces and empty hosts are refused.
bool IsHost(std::string_view text) {
  size_t end = 0;
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    const std::string_view address = text.substr(1, end - 1);
    if (!std::all_of(address.begin(), address.end(),
                     [](char c) { return HexValue(c) >= 0 || c == ':' || c == '.'; })) {
      return false;
    }
    ++end;
  } else {
    while (end < text.size() && (IsDigit(text[end]) || IsAlpha(text[end]) || text[end] == '.' ||
                                 text[end] == '-' || text[end] == '_')) {
      ++end;
    }
    if (end == 0) return false;
  }
  if (end == text.size()) return true;
  const std::string_view port = text.substr(end + 1);
  return text[end] == ':' && !port.empty() && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), IsDigit);
}

Result<void> ApplyConnection(std::string_view value, RequestHead& head) {
  while (true) {
    const size_t comma = value.find(',');
    std::string_view option = value.substr(0, comma);
    while (!option.empty() && (option.front() == ' ' || option.front() == '\t')) {
      option.remove_prefix(1);
    }
    while (!option.empty() && (option.back() == ' ' || option.back() == '\t')) {
      option.remove_suffix(1);
    }
    if (EqualsIgnoreCase(option, "close")) {
      head.keep_alive = false;
    } else if (EqualsIgnoreCase(option, "upgrade")) {
      return Bad("protocol upgrades are refused");
    } else if (!EqualsIgnoreCase(option, "keep-alive")) {
      return Bad("unknown connection option");
    }
    if (comma == std::string_view::npos) return boost::outcome_v2::success();
    value.remove_prefix(comma + 1);
  }
}

Result<void> ApplyField(const Field& field, RequestHead& head) {
  if (field.name == "host") {
    if (!IsHost(field.value)) return Bad("`Host` is not a host name with an optional port");
  } else if (field.name == "content-length") {
    uint64_t length = 0;
    const char* const end = field.value.data() + field.value.size();
    if (field.value.empty() || !std::all_of(field.value.begin(), field.value.end(), IsDigit) ||
        std::from_chars(field.value.data(), end, length).ec != std::errc()) {
      return Bad("`Content-Length` is not one decimal number");
    }
    head.content_length = length;
  } else if (field.name == "transfer-encoding") {
    if (field.value != "chunked") return Bad("`Transfer-Encoding` may only be `chunked`");
    if (head.minor_version != 1) return Bad("`Transfer-Encoding` needs HTTP/1.1");
    head.chunked = true;
  } else if (field.name == "connection") {
    return ApplyConnection(field.value, head);
  } else if (field.name == "expect") {
    if (!EqualsIgnoreCase(field.value, "100-continue")) {
      return Error{Code::kUnsupportedMedia, "`Expect` may only be `100-continue`"};
    }
    head.expect_continue = head.minor_version == 1;
  } else if (field.name == "upgrade" || field.name == "http2-settings") {
    return Bad("protocol upgrades are refused");
  } else if (field.name == "trailer") {
    return Bad("trailer fields are refused");
  }
  return boost::outcome_v2::success();
}

// Fields of which a second one would leave open which of the two counts.
bool IsSingleton(std::string_view name) {
  constexpr std::array<std::string_view, 13> kNames = {
      "host",   "content-length", "transfer-encoding", "connection", "expect",
      "cookie", "authorization",  "content-type",      "content-encoding",
      "origin", "x-api-key",      "traceparent",       "idempotency-key"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace

Result<size_t> HeadScanner::Scan(std::string_view bytes) {
  for (; seen_ < bytes.size(); ++seen_) {
    const char c = bytes[seen_];
    if (seen_ >= kMaxHead) {
      return Error{Code::kHeaderTooLarge, "request head exceeds 8192 bytes"};
    }
    if (seen_ > 0 && bytes[seen_ - 1] == '\r' && c != '\n') return Bad("bare CR in the head");
    if (c == '\n') {
      if (seen_ == 0 || bytes[seen_ - 1] != '\r') return Bad("bare LF in the head");
      if (seen_ == 1) return Bad("empty line before the request line");
      if (seen_ >= 3 && bytes[seen_ - 2] == '\n') return ++seen_;
    } else if (c != '\r' && c != '\t' && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)) {
      return Bad("control byte in the head");
    }
  }
  return size_t{0};
}

Result<RequestHead> ParseHead(std::string_view text) {
  if (text.size() > kMaxHead) {
    return Error{Code::kHeaderTooLarge, "request head exceeds 8192 bytes"};
  }
  HeadScanner scanner;
  BOOST_OUTCOME_TRY(const size_t length, scanner.Scan(text));
  if (length != text.size() || length == 0) return Bad("head does not end where it should");

  RequestHead head;
  size_t line_end = text.find("\r\n");
  BOOST_OUTCOME_TRY(ParseRequestLine(text.substr(0, line_end), head));
  bool has_host = false;
  while (true) {
    const size_t start = line_end + 2;
    line_end = text.find("\r\n", start);
    const std::string_view line = text.substr(start, line_end - start);
    if (line.empty()) break;
    if (head.fields.size() == kMaxFields) {
      return Error{Code::kHeaderTooLarge, "more than 64 header fields"};
    }
    BOOST_OUTCOME_TRY(Field field, ParseField(line));
    if (IsSingleton(field.name) && head.Get(field.name)) {
      return Bad("field `" + field.name + "` occurs twice");
    }
    BOOST_OUTCOME_TRY(ApplyField(field, head));
    has_host = has_host || field.name == "host";
    head.fields.push_back(std::move(field));
  }
  if (!has_host) return Bad("`Host` is missing");
  if (head.chunked && head.content_length) {
    return Bad("`Transfer-Encoding` and `Content-Length` together");
  }
  return head;
}

}  // namespace portcullis::gateway::http
