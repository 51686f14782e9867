// CRC-32C (Castagnoli, RFC 3720 appendix B.4), as in iSCSI and ext4: finds accidental damage of a
// frame and names the record. It proves nothing against a forger; the tree and the signatures do.
// Uses SSE4.2 where the processor has it. Pure, thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace portcullis::audit {

uint32_t Crc32c(std::string_view bytes, uint32_t previous = 0);
uint32_t Crc32cPortableForTest(std::string_view bytes, uint32_t previous = 0);

}  // namespace portcullis::audit
