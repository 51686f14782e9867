// The check digits of numbers and tokens. Digits are given as their values 0..9.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace portcullis::policy {

// ISO/IEC 7812-1 annex B: cards.
bool LuhnHolds(std::span<const uint8_t> digits);

// ISO/IEC 7064 MOD 97-10 over text that comes a character at a time: IBAN.
class Mod97 {
 public:
  void Put(unsigned char digit_or_letter);
  uint32_t value() const { return value_; }

 private:
  uint32_t value_ = 0;
};

// The dihedral check of J. Verhoeff (1969): Aadhaar.
bool VerhoeffHolds(std::span<const uint8_t> digits);

// CRC-32 of IEEE 802.3: GitHub's and npm's tokens carry it in six digits of base 62.
uint32_t Crc32(std::string_view bytes);

// True when the date exists in some year; two-digit years count as leap years when divisible by 4.
bool IsDate(int day, int month, int year);

}  // namespace portcullis::policy
