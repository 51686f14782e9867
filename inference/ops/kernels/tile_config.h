// What the tile registers of AMX look like: Intel's 64 bytes for `ldtilecfg`, palette 1.
// GCC 12 does not know what the intrinsics read. The operand of _tile_loadconfig is declared as eight
// bytes, so configurations are constants of static storage: stores to the rest of one on the stack
// may be dropped. _tile_loadd declares no memory at all: see FinishStores.
#pragma once

#include <cstdint>

namespace portcullis::inference::amx {

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  constexpr void Set(int tile, int64_t count, int64_t bytes) {
    rows[tile] = static_cast<uint8_t>(count);
    row_bytes[tile] = static_cast<uint16_t>(bytes);
  }
  static constexpr TileConfig All(int64_t count, int64_t bytes) {
    TileConfig config;
    for (int tile = 0; tile < 8; ++tile) config.Set(tile, count, bytes);
    return config;
  }
};
static_assert(sizeof(TileConfig) == 64);

// Between writing memory and loading tiles from it: no store may be dropped or moved behind.
inline void FinishStores() { asm volatile("" ::: "memory"); }

}  // namespace portcullis::inference::amx
