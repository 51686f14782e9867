// "1 record", "2 records": numbers in sentences. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace portcullis::audit {

inline std::string Counted(uint64_t number, std::string_view one, std::string_view many) {
  return std::to_string(number) + " " + std::string(number == 1 ? one : many);
}
inline std::string CountedRecords(uint64_t number) { return Counted(number, "record", "records"); }

}  // namespace portcullis::audit
