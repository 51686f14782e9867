#include "policy/classify/normalize.h"

#include <algorithm>
#include <cstring>

namespace portcullis::policy {
namespace {

constexpr size_t kIncomplete = 0;

struct Decoded {
  size_t width = 1;  // kIncomplete: the bytes end within the character
  char32_t code_point = 0;
  bool valid = false;
};

// One character of UTF-8 (RFC 3629); what is not one is taken byte by byte.
Decoded Decode(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = byte(0);
  const size_t width = lead < 0xC2 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 1;
  if (width == 1) return {};
  char32_t code_point = lead & (0x7Fu >> width);
  for (size_t i = 1; i < width; ++i) {
    if (i == bytes.size()) return {.width = kIncomplete};
    if ((byte(i) & 0xC0) != 0x80) return {};
    // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
    if (i == 1 && ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F) ||
                   (lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F))) {
      return {};
    }
    code_point = code_point << 6 | (byte(i) & 0x3Fu);
  }
  return {.width = width, .code_point = code_point, .valid = true};
}

size_t AsciiPrefix(std::string_view bytes) {
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    if (word & 0x8080808080808080u) break;
  }
  while (i < bytes.size() && static_cast<unsigned char>(bytes[i]) < 0x80) ++i;
  return i;
}

}  // namespace

void OffsetMap::Append(uint64_t unit, uint64_t offset, uint32_t width, uint64_t count) {
  if (runs_.empty() || runs_.back().width != width || next_offset_ != offset) {
    runs_.push_back({unit, offset, width});
  }
  next_offset_ = offset + width * count;
}

const OffsetMap::Run& OffsetMap::Find(uint64_t unit) const {
  const auto after = std::upper_bound(runs_.begin(), runs_.end(), unit,
                                      [](uint64_t u, const Run& run) { return u < run.unit; });
  return *std::prev(after);
}

uint64_t OffsetMap::Start(uint64_t unit) const {
  const Run& run = Find(unit);
  return run.offset + (unit - run.unit) * run.width;
}

uint64_t OffsetMap::End(uint64_t unit) const { return Start(unit) + Find(unit).width; }

void OffsetMap::ForgetBefore(uint64_t unit) {
  while (runs_.size() > 1 && runs_[1].unit <= unit) runs_.pop_front();
}

void Normalizer::Put(char unit, uint32_t width, std::string& units) {
  map_.Append(units_, offset_, width, 1);
  units.push_back(unit);
  ++units_;
  offset_ += width;
  invisible_ = 0;
}

void Normalizer::Skip(uint32_t width, std::string& units) {
  if (invisible_ == kMaxInvisibleRun) {
    blinded_ = true;
    Put(kOther, width, units);
  } else {
    ++invisible_;
    offset_ += width;
  }
}

// Takes one character; returns its width, kIncomplete when the rest of it has not come yet.
size_t Normalizer::Character(std::string_view bytes, bool final, std::string& units) {
  Decoded decoded = Decode(bytes);
  if (decoded.width == kIncomplete) {
    if (!final) return kIncomplete;
    decoded = {};
  }
  const char unit = decoded.valid            ? FoldCodePoint(decoded.code_point)
                    : (bytes[0] & 0x80) == 0 ? bytes[0]
                                             : kOther;
  const auto width = static_cast<uint32_t>(decoded.width);
  if (decoded.valid && unit == 0) {
    Skip(width, units);
  } else {
    Put(unit, width, units);
  }
  return decoded.width;
}

void Normalizer::Ascii(std::string_view run, std::string& units) {
  map_.Append(units_, offset_, 1, run.size());
  units.append(run);
  units_ += run.size();
  offset_ += run.size();
  invisible_ = 0;
}

void Normalizer::Append(std::string_view chunk, std::string& units) {
  while (!carry_.empty() && !chunk.empty()) {
    carry_.push_back(chunk.front());
    chunk.remove_prefix(1);
    while (!carry_.empty()) {
      const size_t width = Character(carry_, false, units);
      if (width == kIncomplete) break;
      carry_.erase(0, width);
    }
  }
  while (!chunk.empty()) {
    if (const size_t ascii = AsciiPrefix(chunk)) {
      Ascii(chunk.substr(0, ascii), units);
      chunk.remove_prefix(ascii);
      continue;
    }
    const size_t width = Character(chunk, false, units);
    if (width == kIncomplete) {
      carry_ = chunk;
      return;
    }
    chunk.remove_prefix(width);
  }
}

void Normalizer::Finish(std::string& units) {
  while (!carry_.empty()) carry_.erase(0, Character(carry_, true, units));
}

}  // namespace portcullis::policy
