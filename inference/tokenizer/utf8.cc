#include "inference/tokenizer/utf8.h"

#include <algorithm>

namespace portcullis::inference {
namespace {

struct Shape {
  size_t length = 0;                      // 0: not a lead byte
  unsigned char low = 0x80, high = 0xBF;  // allowed range of the second byte
};

Shape ShapeOf(unsigned char lead) {
  if (lead < 0x80) return {1};
  if (lead >= 0xC2 && lead <= 0xDF) return {2};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return {3};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead >= 0xF1 && lead <= 0xF3) return {4};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

// How many bytes at the front of `text` agree with the shape of its lead byte (0 for a bad lead).
size_t Agreeing(std::string_view text, const Shape& shape) {
  if (shape.length == 0) return 0;
  size_t n = 1;
  while (n < shape.length && n < text.size()) {
    const auto byte = static_cast<unsigned char>(text[n]);
    const bool good = n == 1 ? byte >= shape.low && byte <= shape.high : (byte & 0xC0) == 0x80;
    if (!good) break;
    ++n;
  }
  return n;
}

}  // namespace

size_t CharacterLength(std::string_view text) {
  if (text.empty()) return 0;
  const Shape shape = ShapeOf(static_cast<unsigned char>(text[0]));
  return shape.length != 0 && Agreeing(text, shape) == shape.length ? shape.length : 0;
}

char32_t FirstCodePoint(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return lead;
  const size_t length = ShapeOf(lead).length;
  char32_t value = lead & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) value = (value << 6) | (byte(i) & 0x3Fu);
  return value;
}

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t n = CharacterLength(text);
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  return true;
}

size_t CompletePrefix(std::string_view bytes) {
  for (size_t back = 1; back <= std::min<size_t>(3, bytes.size()); ++back) {
    const std::string_view tail = bytes.substr(bytes.size() - back);
    const Shape shape = ShapeOf(static_cast<unsigned char>(tail[0]));
    if (shape.length > back && Agreeing(tail, shape) == back) return bytes.size() - back;
  }
  return bytes.size();
}

std::string Scrub(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const Shape shape = ShapeOf(static_cast<unsigned char>(bytes[0]));
    const size_t n = Agreeing(bytes, shape);
    if (n != 0 && n == shape.length) {
      out.append(bytes.substr(0, n));
    } else {
      out += "\xEF\xBF\xBD";
    }
    bytes.remove_prefix(std::max<size_t>(n, 1));
  }
  return out;
}

void AppendUtf8(char32_t c, std::string& out) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

}  // namespace portcullis::inference
