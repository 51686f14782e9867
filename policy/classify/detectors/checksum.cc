#include "policy/classify/detectors/checksum.h"

#include <array>

#include "policy/classify/units.h"

namespace portcullis::policy {
namespace {

// Multiplication in the dihedral group of order 10: rotations are 0..4, reflections 5..9.
constexpr int Dihedral(int left, int right) {
  if (left < 5) return right < 5 ? (left + right) % 5 : 5 + (left + right - 5) % 5;
  return right < 5 ? 5 + (left - 5 - right + 5) % 5 : (left - right + 5) % 5;
}

constexpr std::array<uint8_t, 10> kVerhoeffPermutation = {1, 5, 7, 6, 2, 8, 3, 0, 9, 4};

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? 0xEDB88320u ^ value >> 1 : value >> 1;
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = MakeCrcTable();

}  // namespace

bool LuhnHolds(std::span<const uint8_t> digits) {
  int sum = 0;
  bool doubled = false;
  for (size_t i = digits.size(); i-- > 0; doubled = !doubled) {
    const int value = digits[i] * (doubled ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

void Mod97::Put(unsigned char digit_or_letter) {
  if (IsDigit(digit_or_letter)) {
    value_ = (value_ * 10 + (digit_or_letter - '0')) % 97;
  } else {
    value_ = (value_ * 100 + (Upper(digit_or_letter) - 'A' + 10)) % 97;
  }
}

bool VerhoeffHolds(std::span<const uint8_t> digits) {
  int check = 0;
  for (size_t i = 0; i < digits.size(); ++i) {
    uint8_t digit = digits[digits.size() - 1 - i];
    for (size_t turn = 0; turn < i % 8; ++turn) digit = kVerhoeffPermutation[digit];
    check = Dihedral(check, digit);
  }
  return check == 0;
}

uint32_t Crc32(std::string_view bytes) {
  uint32_t value = 0xFFFFFFFFu;
  for (const char byte : bytes) {
    value = kCrcTable[(value ^ static_cast<unsigned char>(byte)) & 0xFF] ^ value >> 8;
  }
  return ~value;
}

bool IsDate(int day, int month, int year) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  return day <= kDays[month - 1] + (month == 2 && year % 4 == 0 ? 1 : 0);
}

}  // namespace portcullis::policy
