#include "policy/cedar/text.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace portcullis::policy::cedar {
namespace {

constexpr std::array<std::string_view, 10> kReserved = {"true", "false", "if",   "then", "else",
                                                        "in",   "is",    "like", "has",  "__cedar"};
constexpr size_t kShownLine = 160;  // bytes of a source line that a message repeats at most

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\0':
        out += "\\0";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
          std::array<char, 8> escape{};
          std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned>(c));
          out += escape.data();
        } else {
          out += c;
        }
    }
  }
  return out + '"';
}

bool IsReserved(std::string_view word) {
  return std::find(kReserved.begin(), kReserved.end(), word) != kReserved.end();
}

bool IsIdentifier(std::string_view text) {
  const auto is_letter = [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (text.empty() || !is_letter(text[0]) || IsReserved(text)) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

bool IsValidUtf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    size_t length = 1;
    uint32_t point = lead;
    if (lead >= 0x80) {
      if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        point = lead & 0x07u;
      } else if (lead >= 0xE0 && lead < 0xF0) {
        length = 3;
        point = lead & 0x0Fu;
      } else if (lead >= 0xC2 && lead < 0xE0) {
        length = 2;
        point = lead & 0x1Fu;
      } else {
        return false;
      }
      if (i + length > text.size()) return false;
      for (size_t k = 1; k < length; ++k) {
        if (!IsContinuation(text[i + k])) return false;
        point = (point << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3Fu);
      }
      const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
      if (overlong || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
    }
    i += length;
  }
  return true;
}

std::string_view Front(std::string_view text, size_t limit) {
  size_t end = std::min(limit, text.size());
  while (end > 0 && end < text.size() && IsContinuation(text[end])) --end;
  return text.substr(0, end);
}

void AppendUtf8(std::string& out, uint32_t code_point) {
  const auto put = [&out](uint32_t byte) { out += static_cast<char>(byte); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

Place PlaceOf(std::string_view text, size_t offset) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const auto lines = static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  const size_t newline = before.rfind('\n');
  const std::string_view line =
      newline == std::string_view::npos ? before : before.substr(newline + 1);
  const auto continuation =
      static_cast<size_t>(std::count_if(line.begin(), line.end(), IsContinuation));
  return {lines + 1, line.size() - continuation + 1};
}

std::string LocationText(std::string_view file, std::string_view text, size_t offset) {
  const Place place = PlaceOf(text, offset);
  return std::string(file) + ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
}

std::string Located(std::string_view file, std::string_view text, size_t offset,
                    std::string_view message) {
  offset = std::min(offset, text.size());
  std::string out = LocationText(file, text, offset) + ": " + std::string(message);
  const size_t newline = text.substr(0, offset).rfind('\n');
  size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  size_t end = std::min(text.find('\n', offset), text.size());
  if (end > begin && text[end - 1] == '\r') --end;
  if (end - begin > kShownLine) {  // keep the place in view
    if (offset - begin > kShownLine / 2) begin = offset - kShownLine / 2;
    while (begin < offset && IsContinuation(text[begin])) ++begin;
    end = std::min(end, begin + kShownLine);
    while (end > begin && end < text.size() && IsContinuation(text[end])) --end;
  }
  if (end < begin) return out;
  std::string line(text.substr(begin, end - begin));
  const bool whole = IsValidUtf8(line);
  std::string caret;
  for (size_t i = begin; i < offset; ++i) {
    if (!whole || !IsContinuation(text[i])) caret += text[i] == '\t' ? '\t' : ' ';
  }
  // Foreign bytes: what they are shown in must stay UTF-8, and terminals must not obey them.
  for (char& c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7F || (byte >= 0x80 && !whole)) c = '?';
  }
  out += "\n  ";
  out += line;
  out += "\n  ";
  out += caret;
  out += '^';
  return out;
}

}  // namespace portcullis::policy::cedar
