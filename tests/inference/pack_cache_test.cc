// The pack cache: what comes back is what was packed, and a file that is not quite right is as good
// as none.
#include <gtest/gtest.h>
#include <openssl/sha.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <span>

#include "inference/ops/pack.h"
#include "inference/ops/pack_cache.h"
#include "inference/ops/pack_store.h"
#include "tests/inference/gemm_helpers.h"

namespace portcullis::inference {
namespace {

class PackCacheTest : public testing::Test {
 protected:
  PackCacheTest() : workers_(2) {
    folder_ = std::filesystem::temp_directory_path() /
              ("pack_cache_test" + std::to_string(getpid()) +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    path_ = folder_ / "model.pack";
    identity_.files.fill(std::byte{7});
    for (const DataType type : {DataType::kQ4_0, DataType::kQ6_K, DataType::kQ5_1}) {
      matrices_.push_back(std::make_unique<RandomMatrix>(type, 37, 1024, 5));
    }
  }
  ~PackCacheTest() override {
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
    std::filesystem::remove_all(folder_);
  }

  PackSource Source() const {
    PackSource source{identity_, {}};
    for (const auto& matrix : matrices_) {
      source.files.push_back(std::as_bytes(std::span(matrix->bytes)));
    }
    return source;
  }
  // Packs all matrices with the cache; how many came from it.
  int64_t Start() {
    PackStore store(workers_);
    store.UseCache(std::span(&path_, 1), Source());
    for (const auto& random : matrices_) {
      const Matrix& matrix = random->matrix;
      const std::byte* packed = store.Pack(matrix, false);
      const int64_t tile_bytes = PackedTileBytes(matrix.type, matrix.columns);
      std::vector<std::byte> tile(static_cast<size_t>(tile_bytes));
      for (int64_t i = 0; i < PackedTiles(matrix.rows); ++i) {
        PackTile(matrix, i, tile.data());
        EXPECT_EQ(std::memcmp(tile.data(), packed + i * tile_bytes, tile.size()), 0);
      }
    }
    EXPECT_TRUE(store.SetContent(identity_.content));
    EXPECT_EQ(store.FindForged({}), std::nullopt);
    saved_ = store.SaveCache(path_);
    return store.cached();
  }
  std::string Contents() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void Write(const std::string& contents) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << contents;
  }

  Workers workers_;
  std::filesystem::path folder_, path_;
  PackIdentity identity_;
  std::vector<std::unique_ptr<RandomMatrix>> matrices_;
  bool saved_ = false;
};

TEST_F(PackCacheTest, ASecondStartCopies) {
  EXPECT_EQ(Start(), 0);
  EXPECT_TRUE(saved_);
  const auto written = std::filesystem::last_write_time(path_);
  EXPECT_EQ(Start(), 3);
  EXPECT_EQ(std::filesystem::last_write_time(path_), written);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "leftovers";
}

TEST_F(PackCacheTest, OtherFilesOrContentAreNotBelieved) {
  Start();
  identity_.files[3] = std::byte{8};
  EXPECT_EQ(Start(), 0);
  EXPECT_EQ(Start(), 3);
  identity_.content.fill(std::byte{1});
  EXPECT_EQ(Start(), 3) << "the cache does not know the content";
  std::filesystem::remove(path_);
  Start();
  identity_.content.fill(std::byte{2});
  EXPECT_EQ(Start(), 0);
}

TEST_F(PackCacheTest, AMatrixOfOtherShapeIsPackedAnew) {
  Start();
  matrices_[1]->matrix.rows = 21;
  EXPECT_EQ(Start(), 2);
  EXPECT_EQ(Start(), 3);
}

TEST_F(PackCacheTest, EveryDamagedByteIsFound) {
  Start();
  const std::string good = Contents();
  const auto entries = ParsePackHead(std::as_bytes(std::span(good)), good.size(), identity_);
  ASSERT_TRUE(entries && entries->size() == 3);
  std::mt19937 random(4);
  for (int i = 0; i < 60; ++i) {
    std::string bad = good;
    // The head at even distances, then each matrix in turn anywhere (not in the gaps between them).
    const PackEntry& entry = (*entries)[static_cast<size_t>(i % 3)];
    const size_t at = i < 30 ? static_cast<size_t>(i) * 11 : entry.position + random() % entry.bytes;
    bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
    Write(bad);
    const int64_t cached = Start();
    EXPECT_EQ(cached, i < 30 ? 0 : 2) << at;
    EXPECT_EQ(Start(), 3) << "not rebuilt after damage at " << at;
  }
}

TEST_F(PackCacheTest, EveryTruncationIsFound) {
  Start();
  const std::string good = Contents();
  for (const size_t size : {size_t{0}, size_t{1}, size_t{79}, size_t{80}, size_t{200}, size_t{351},
                            size_t{4096}, good.size() - 1}) {
    Write(good.substr(0, size));
    EXPECT_LT(Start(), 3) << size;
    EXPECT_EQ(Contents().size(), good.size());
  }
}

TEST_F(PackCacheTest, SomethingElseInItsPlaceIsNoError) {
  std::filesystem::create_directory(path_);
  EXPECT_EQ(Start(), 0);
  EXPECT_FALSE(saved_);
  std::filesystem::remove(path_);
  path_ = "/proc/no/such/folder/model.pack";
  EXPECT_EQ(Start(), 0);
  EXPECT_FALSE(saved_);
}

// A head that is whole, with a right digest, but says what cannot be.
TEST_F(PackCacheTest, ImpossibleEntriesAreRefused) {
  Start();
  const std::string good = Contents();
  const auto parse = [&](std::string head) {
    // The digest of the head follows its three entries.
    const size_t end = 80 + 3 * 80;
    SHA256(reinterpret_cast<const unsigned char*>(head.data()), end,
           reinterpret_cast<unsigned char*>(head.data() + end));
    return ParsePackHead(std::as_bytes(std::span(head)).first(end + 32), good.size(), identity_)
        .has_value();
  };
  EXPECT_TRUE(parse(good));
  // Version, count; type, rows, columns, position, size of the first entry.
  for (const size_t at : {8, 12, 84, 96, 103, 104, 111, 112, 118, 120, 127}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    EXPECT_FALSE(parse(bad)) << at;
  }
}

}  // namespace
}  // namespace portcullis::inference
