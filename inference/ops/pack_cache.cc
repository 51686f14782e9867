#include "inference/ops/pack_cache.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>

#include "inference/ops/pack.h"

namespace portcullis::inference {
namespace {

constexpr char kMagic[8] = {'P', 'O', 'R', 'T', 'P', 'A', 'C', 'K'};
constexpr uint32_t kVersion = 2;
constexpr uint64_t kPage = 4096;                // matrices begin at multiples of it
constexpr uint64_t kMaxEntries = 1 << 20;
constexpr int64_t kMaxSide = int64_t{1} << 31;  // rows, columns
constexpr uint64_t kPiece = 1 << 20;            // hashed, read and written at once

// DO NOT CHANGE: as they lie in the file.
struct Head {
  char magic[8];
  uint32_t version;
  uint32_t entries;
  Digest files;
  Digest content;
};
struct Entry {
  uint32_t file;
  uint32_t type;
  uint64_t offset;
  int64_t rows;
  int64_t columns;
  uint64_t position;
  uint64_t bytes;
  Digest digest;
};
static_assert(sizeof(Head) == 80 && sizeof(Entry) == 80);

// DO NOT CHANGE THESE VALUES: type numbers in the file, those of GGUF.
struct TypeNumber {
  DataType type;
  uint32_t number;
};
constexpr std::array kTypes = {TypeNumber{DataType::kQ4_0, 2}, TypeNumber{DataType::kQ8_0, 8},
                               TypeNumber{DataType::kQ4_K, 12}, TypeNumber{DataType::kQ5_K, 13},
                               TypeNumber{DataType::kQ6_K, 14}, TypeNumber{DataType::kQ4_1, 3},
                               TypeNumber{DataType::kQ5_0, 6},  TypeNumber{DataType::kQ5_1, 7}};

Digest Sha256(std::span<const std::byte> bytes) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

uint64_t RoundUp(uint64_t value) { return (value + kPage - 1) / kPage * kPage; }

uint64_t HeadBytes(uint64_t entries) {
  return sizeof(Head) + entries * sizeof(Entry) + sizeof(Digest);
}

bool Plausible(const PackKey& key) {
  return HasPackedLayout(key.type) && key.rows > 0 && key.rows <= kMaxSide && key.columns > 0 &&
         key.columns <= kMaxSide && key.columns % LayoutOf(key.type).elements == 0 &&
         PackedTiles(key.rows) <= INT64_MAX / 2 / PackedTileBytes(key.type, key.columns);
}

bool WriteAll(int descriptor, const std::byte* data, uint64_t size, uint64_t position) {
  while (size > 0) {
    const ssize_t done = pwrite(descriptor, data, size, static_cast<off_t>(position));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    data += done;
    size -= static_cast<uint64_t>(done);
    position += static_cast<uint64_t>(done);
  }
  return true;
}

bool ReadAll(int descriptor, std::byte* out, uint64_t size, uint64_t position) {
  while (size > 0) {
    const ssize_t done = pread(descriptor, out, size, static_cast<off_t>(position));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    out += done;
    size -= static_cast<uint64_t>(done);
    position += static_cast<uint64_t>(done);
  }
  return true;
}

// Of a matrix: the SHA-256 of its pieces' SHA-256. `fill` brings a piece to its place before it is
// hashed, and says whether it could.
template <class Fill>
std::optional<Digest> DigestOf(std::span<const std::byte> bytes, Workers& workers,
                               const Fill& fill) {
  std::vector<Digest> pieces((bytes.size() + kPiece - 1) / kPiece);
  std::atomic<bool> good{true};
  workers.Run(static_cast<int64_t>(pieces.size()), true, [&](int64_t index, int) {
    const uint64_t begin = static_cast<uint64_t>(index) * kPiece;
    const auto piece = bytes.subspan(begin, std::min(kPiece, bytes.size() - begin));
    if (!fill(begin, piece.size())) good = false;
    pieces[static_cast<size_t>(index)] = Sha256(piece);
  });
  if (!good) return std::nullopt;
  return Sha256(std::as_bytes(std::span(pieces)));
}

bool IsCache(const Head& head) {
  return std::memcmp(head.magic, kMagic, sizeof kMagic) == 0 && head.version == kVersion &&
         head.entries <= kMaxEntries;
}

}  // namespace

bool Belongs(const PackIdentity& cache, const PackIdentity& model) {
  const Digest unknown{};
  if (cache.content == unknown || model.content == unknown) return cache.files == model.files;
  return cache.content == model.content;
}

std::optional<PackIdentity> ReadPackIdentity(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return std::nullopt;
  Head head;
  const bool good = ReadAll(file, reinterpret_cast<std::byte*>(&head), sizeof head, 0);
  close(file);
  if (!good || !IsCache(head)) return std::nullopt;
  return PackIdentity{head.files, head.content};
}

std::optional<std::vector<PackEntry>> ParsePackHead(std::span<const std::byte> head,
                                                    uint64_t file_size,
                                                    const PackIdentity& identity) {
  Head fixed;
  if (head.size() < sizeof fixed) return std::nullopt;
  std::memcpy(&fixed, head.data(), sizeof fixed);
  if (!IsCache(fixed) || !Belongs({fixed.files, fixed.content}, identity)) return std::nullopt;
  const uint64_t size = HeadBytes(fixed.entries);
  if (head.size() < size || file_size < size) return std::nullopt;
  const auto hashed = head.first(size - sizeof(Digest));
  const Digest digest = Sha256(hashed);
  if (std::memcmp(digest.data(), head.data() + hashed.size(), sizeof digest) != 0) {
    return std::nullopt;
  }
  std::vector<PackEntry> entries;
  for (uint64_t i = 0; i < fixed.entries; ++i) {
    Entry stored;
    std::memcpy(&stored, head.data() + sizeof fixed + i * sizeof stored, sizeof stored);
    const auto* type = std::ranges::find(kTypes, stored.type, &TypeNumber::number);
    if (type == kTypes.end()) return std::nullopt;
    const PackEntry entry{{stored.file, stored.offset, type->type, stored.rows, stored.columns},
                          stored.position, stored.bytes, stored.digest};
    if (!Plausible(entry.key)) return std::nullopt;
    const int64_t bytes = PackedTiles(stored.rows) * PackedTileBytes(type->type, stored.columns);
    if (entry.bytes != static_cast<uint64_t>(bytes) || entry.position % kPage != 0 ||
        entry.position < size || entry.position > file_size ||
        entry.bytes > file_size - entry.position) {
      return std::nullopt;
    }
    entries.push_back(entry);
  }
  return entries;
}

PackCacheReader::PackCacheReader(const std::filesystem::path& path, const PackIdentity& identity)
    : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) {
  struct stat status {};
  if (descriptor_ < 0 || fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) return;
  const auto size = static_cast<uint64_t>(status.st_size);
  Head fixed;
  if (size < sizeof fixed ||
      !ReadAll(descriptor_, reinterpret_cast<std::byte*>(&fixed), sizeof fixed, 0) ||
      !IsCache(fixed)) {
    return;
  }
  identity_ = {fixed.files, fixed.content};
  std::vector<std::byte> head(std::min(size, HeadBytes(fixed.entries)));
  if (!ReadAll(descriptor_, head.data(), head.size(), 0)) return;
  if (auto entries = ParsePackHead(head, size, identity)) entries_ = std::move(*entries);
}

PackCacheReader::~PackCacheReader() {
  if (descriptor_ >= 0) close(descriptor_);
}

const PackEntry* PackCacheReader::Find(const PackKey& key) const {
  const auto found = std::ranges::find(entries_, key, &PackEntry::key);
  return found == entries_.end() ? nullptr : &*found;
}

bool PackCacheReader::Read(const PackEntry& entry, Workers& workers, std::byte* out) const {
  const auto digest = DigestOf({out, entry.bytes}, workers, [&](uint64_t begin, uint64_t size) {
    return ReadAll(descriptor_, out + begin, size, entry.position + begin);
  });
  return digest == entry.digest;
}

bool WritePackCache(const std::filesystem::path& path, const PackIdentity& identity,
                    std::span<const PackedMatrix> matrices, Workers& workers) {
  if (matrices.size() > kMaxEntries) return false;
  std::error_code ignored;  // where there is no folder, opening fails
  std::filesystem::create_directories(path.parent_path(), ignored);
  const std::string temporary = path.string() + ".tmp" + std::to_string(getpid());
  unlink(temporary.c_str());
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                        S_IRUSR | S_IWUSR | S_IRGRP);
  if (file < 0) return false;
  Head fixed{};
  std::memcpy(fixed.magic, kMagic, sizeof kMagic);
  fixed.version = kVersion;
  fixed.entries = static_cast<uint32_t>(matrices.size());
  fixed.files = identity.files;
  fixed.content = identity.content;
  std::vector<std::byte> head(HeadBytes(matrices.size()));
  std::memcpy(head.data(), &fixed, sizeof fixed);
  uint64_t position = RoundUp(head.size());
  bool good = true;
  for (size_t i = 0; i < matrices.size() && good; ++i) {
    const PackKey& key = matrices[i].key;
    const auto bytes = matrices[i].bytes;
    const auto digest = DigestOf(bytes, workers, [&](uint64_t begin, uint64_t size) {
      return WriteAll(file, bytes.data() + begin, size, position + begin);
    });
    good = digest.has_value();
    if (!good) break;
    const auto* type = std::ranges::find(kTypes, key.type, &TypeNumber::type);
    const Entry stored{key.file,    type->number, key.offset,   key.rows,
                       key.columns, position,     bytes.size(), *digest};
    std::memcpy(head.data() + sizeof fixed + i * sizeof stored, &stored, sizeof stored);
    position = RoundUp(position + bytes.size());
  }
  const auto hashed = std::span(head).first(head.size() - sizeof(Digest));
  const Digest digest = Sha256(hashed);
  std::memcpy(head.data() + hashed.size(), digest.data(), sizeof digest);
  good = good && WriteAll(file, head.data(), head.size(), 0) && fsync(file) == 0;
  good = close(file) == 0 && good;
  good = good && rename(temporary.c_str(), path.c_str()) == 0;
  if (!good) {
    unlink(temporary.c_str());
    return false;
  }
  const int folder = open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
  return true;
}

}  // namespace portcullis::inference
