#include "inference/ops/pack_store.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "inference/ops/pack.h"

namespace portcullis::inference {
namespace {

constexpr size_t kHugePage = 2 << 20;
constexpr size_t kRegion = 32 << 20;

size_t RoundUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

// Pages that hold nothing but this matrix; the file still has them.
void ReleasePages(const Matrix& matrix) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const auto begin = RoundUp(reinterpret_cast<uintptr_t>(matrix.data), page);
  const auto end = reinterpret_cast<uintptr_t>(matrix.row(matrix.rows)) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace

PackStore::~PackStore() {
  for (const auto& region : regions_) munmap(region.data, region.size);
}

std::byte* PackStore::Allocate(int64_t size) {
  constexpr size_t kLine = 64;
  const size_t wanted = RoundUp(static_cast<size_t>(size), kLine);
  if (regions_.empty() || regions_.back().size - used_ < wanted) {
    const size_t region = std::max(kRegion, RoundUp(wanted, kHugePage));
    void* data = mmap(nullptr, region, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
    madvise(data, region, MADV_HUGEPAGE);  // a wish; without it everything works, slower
    regions_.push_back({static_cast<std::byte*>(data), region});
    used_ = 0;
  }
  std::byte* piece = regions_.back().data + used_;
  used_ += wanted;
  bytes_ += size;
  return piece;
}

void PackStore::UseCache(std::span<const std::filesystem::path> files, PackSource source) {
  source_ = std::move(source);
  for (const auto& file : files) {
    cache_ = std::make_unique<PackCacheReader>(file, source_.identity);
    if (cache_->size() == 0) continue;
    cache_file_ = file;
    return;
  }
}

bool PackStore::SetContent(const Digest& content) {
  source_.identity.content = content;
  const auto cache = std::exchange(cache_, nullptr);
  return copied_.empty() || Belongs(cache->identity(), source_.identity);
}

bool PackStore::SaveCache(const std::filesystem::path& file) {
  if (copied_.size() == packed_.size()) return true;
  return WritePackCache(file, source_.identity, packed_, workers_);
}

std::optional<PackKey> PackStore::FindForged(const std::stop_token& stop) const {
  for (const auto& [index, mapped] : copied_) {
    const auto& [key, bytes] = packed_[index];
    const std::byte* data = source_.files[key.file].data() + key.offset;
    const Matrix matrix{key.type, key.rows, key.columns, data};
    std::vector<std::byte> tile(static_cast<size_t>(PackedTileBytes(key.type, key.columns)));
    for (int64_t i = 0; i < PackedTiles(key.rows); ++i) {
      if (stop.stop_requested()) return std::nullopt;
      PackTile(matrix, i, tile.data());
      if (std::memcmp(tile.data(), bytes.data() + static_cast<size_t>(i) * tile.size(),
                      tile.size()) != 0) {
        return key;
      }
    }
    if (mapped) ReleasePages(matrix);
  }
  return std::nullopt;
}

bool PackStore::KeyOf(const Matrix& matrix, PackKey& key) const {
  for (size_t i = 0; i < source_.files.size(); ++i) {
    const auto& file = source_.files[i];
    if (matrix.data < file.data() || matrix.data >= file.data() + file.size()) continue;
    key = {static_cast<uint32_t>(i), static_cast<uint64_t>(matrix.data - file.data()), matrix.type,
           matrix.rows, matrix.columns};
    return true;
  }
  return false;
}

bool PackStore::CopyFromCache(const PackKey& key, std::byte* out) {
  const PackEntry* entry = cache_ == nullptr ? nullptr : cache_->Find(key);
  if (entry == nullptr || !cache_->Read(*entry, workers_, out)) return false;
  return true;
}

const std::byte* PackStore::Pack(const Matrix& matrix, bool mapped) {
  std::byte* packed = Allocate(PackedBytes(matrix));
  PackKey key;
  const bool known = KeyOf(matrix, key);
  if (known) packed_.push_back({key, {packed, static_cast<size_t>(PackedBytes(matrix))}});
  if (known && CopyFromCache(key, packed)) {
    copied_.push_back({packed_.size() - 1, mapped});
    return packed;
  }
  const int64_t tile_bytes = PackedTileBytes(matrix.type, matrix.columns);
  workers_.Run(PackedTiles(matrix.rows), true, [&](int64_t tile, int) {
    PackTile(matrix, tile, packed + tile * tile_bytes);
  });
  if (mapped) ReleasePages(matrix);
  return packed;
}

}  // namespace portcullis::inference
