// Response heads and chunks as bytes.
#include "gateway/http/response_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

namespace portcullis::gateway::http {
namespace {

bool IsFramingField(std::string_view name) {
  return name == "content-length" || name == "transfer-encoding" || name == "connection" ||
         name == "date";
}

bool IsCleanName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool IsCleanValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return (c >= ' ' && c != 0x7f) || c == '\t'; });
}

// IMF-fixdate of RFC 9110 §5.6.7, made once a second and thread; independent of the locale.
std::string_view DateNow() {
  thread_local std::time_t made = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made) {
    constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    gmtime_r(&now, &utc);
    std::array<char, 32> clock{};
    std::array<char, 64> line{};
    std::strftime(clock.data(), clock.size(), "%Y %H:%M:%S GMT", &utc);
    std::snprintf(line.data(), line.size(), "%s, %02d %s %s", kDays[utc.tm_wday], utc.tm_mday,
                  kMonths[utc.tm_mon], clock.data());
    text = line.data();
    made = now;
  }
  return text;
}

}  // namespace

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Status";
  }
}

Result<std::string> WriteHead(const ResponseHead& head, const ResponseFraming& framing) {
  if (head.status < 100 || head.status > 599) {
    return Error{Code::kInternal, "response status is out of range"};
  }
  std::string out;
  out.reserve(512);
  out.append("HTTP/1.1 ").append(std::to_string(head.status)).append(" ");
  out.append(ReasonPhrase(head.status)).append("\r\ndate: ").append(DateNow()).append("\r\n");
  for (const Field& field : head.fields) {
    if (!IsCleanName(field.name) || !IsCleanValue(field.value)) {
      return Error{Code::kInternal, "response field has unclean bytes"};
    }
    if (IsFramingField(field.name)) {
      return Error{Code::kInternal, "response field `" + field.name + "` belongs to the connection"};
    }
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  switch (framing.framing) {
    case Framing::kNone: break;
    case Framing::kLength:
      out.append("content-length: ").append(std::to_string(framing.length)).append("\r\n");
      break;
    case Framing::kChunked: out.append("transfer-encoding: chunked\r\n"); break;
    case Framing::kClose: break;
  }
  if (framing.close || framing.framing == Framing::kClose) out.append("connection: close\r\n");
  out.append("\r\n");
  return out;
}

void AppendChunk(std::string_view bytes, std::string& out) {
  std::array<char, 16> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), bytes.size(), 16).ptr;
  out.append(size.data(), end).append("\r\n").append(bytes).append("\r\n");
}

}  // namespace portcullis::gateway::http
