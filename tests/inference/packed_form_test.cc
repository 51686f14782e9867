// Packed weights from model to model: whatever way they come from, the logits are the same to the
// bit; a cache is believed by its model's content; forged tiles and files that change in use are
// found.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/sha.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <random>

#include "inference/model/convert.h"
#include "tests/inference/file_builders.h"
#include "tests/inference/model_helpers.h"

namespace portcullis::inference {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr uint64_t kHidden = 64, kFeed = 96, kVocab = 50;

std::string RandomLlama(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 0.1f);
  GgufBuilder file;
  file.String("general.architecture", "llama");
  for (const auto& [key, value] :
       {std::pair{"block_count", 2u}, {"embedding_length", unsigned{kHidden}},
        {"feed_forward_length", unsigned{kFeed}}, {"attention.head_count", 4u},
        {"attention.head_count_kv", 2u}, {"context_length", 64u}}) {
    file.Int(std::string("llama.") + key, value);
  }
  file.Float("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  const auto matrix = [&](const std::string& name, uint64_t rows, uint64_t columns) {
    std::vector<float> values(rows * columns);
    for (auto& value : values) value = normal(random);
    file.Tensor(name, {columns, rows}, values);
  };
  const auto norm = [&](const std::string& name) {
    file.Tensor(name, {kHidden}, std::vector<float>(kHidden, 1.0f));
  };
  matrix("token_embd.weight", kVocab, kHidden);
  matrix("output.weight", kVocab, kHidden);
  norm("output_norm.weight");
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    norm(layer + "attn_norm.weight");
    norm(layer + "ffn_norm.weight");
    matrix(layer + "attn_q.weight", kHidden, kHidden);
    matrix(layer + "attn_k.weight", kHidden / 2, kHidden);
    matrix(layer + "attn_v.weight", kHidden / 2, kHidden);
    matrix(layer + "attn_output.weight", kHidden, kHidden);
    matrix(layer + "ffn_gate.weight", kFeed, kHidden);
    matrix(layer + "ffn_up.weight", kFeed, kHidden);
    matrix(layer + "ffn_down.weight", kHidden, kFeed);
  }
  return file.Build();
}

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Hash(const char* data, size_t size, char* out) {
  SHA256(reinterpret_cast<const unsigned char*>(data), size, reinterpret_cast<unsigned char*>(out));
}

class PackedForm : public testing::TestWithParam<const char*> {
 protected:
  // One of the packed types at a time, and a folder for caches beside the model's.
  PackedForm() {
    const auto source = folder_.Write("f32.gguf", RandomLlama(7));
    model_ = Quantized(source, "model.gguf");
    cache_ = folder_.path() / "cache";
    fs::create_directory(cache_);
  }
  fs::path Quantized(const fs::path& source, const std::string& name) const {
    const auto out = folder_.path() / name;
    const auto done = ConvertToGguf(source, out, {QuantMix::Named(GetParam()).value()});
    EXPECT_TRUE(done) << done.error().message;
    return out;
  }
  static LoadOptions Fast(const fs::path& cache, PackSaving saving = PackSaving::kAlways) {
    LoadOptions options;
    options.threads = 2;
    options.precision = Precision::kFast;
    options.pack_cache = cache;
    options.pack_saving = saving;
    return options;
  }
  // With the digest, unlike most tests.
  static std::unique_ptr<Model> Load(const fs::path& path, const LoadOptions& options) {
    auto model = Model::Load(path, options);
    EXPECT_TRUE(model) << model.error().message;
    return model ? std::move(model.value()) : nullptr;
  }
  static std::vector<float> Logits(Model& model) {
    return LastLogits(model, std::vector<int32_t>{1, 7, 3, 49, 20}, 2);
  }
  static bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
  }

  const TempFolder folder_;
  fs::path model_, cache_;
};

INSTANTIATE_TEST_SUITE_P(Types, PackedForm, testing::Values("Q8_0", "Q4_0"));

TEST_P(PackedForm, PackedNowFromTheCacheAndFromBesideTheModelGiveTheSameBits) {
  const auto plain = Load(model_, Fast({}));
  const auto first = Load(model_, Fast(cache_));
  const auto second = Load(model_, Fast(cache_));
  ASSERT_TRUE(plain && first && second);
  EXPECT_EQ(plain->packed().file, "");
  EXPECT_TRUE(first->packed().saved);
  EXPECT_EQ(first->packed().cached, 0);
  EXPECT_EQ(first->packed().matrices, 15);
  EXPECT_FALSE(second->packed().saved);
  EXPECT_EQ(second->packed().cached, 15);
  EXPECT_EQ(second->packed().used, first->packed().file);

  ASSERT_TRUE(Load(model_, Fast(folder_.path()))->packed().saved);
  EXPECT_TRUE(fs::exists(folder_.path() / "model.gguf.pack"));
  fs::remove_all(cache_);
  const auto beside = Load(model_, Fast(cache_));
  EXPECT_EQ(beside->packed().used, folder_.path() / "model.gguf.pack");
  EXPECT_EQ(beside->packed().cached, 15);
  EXPECT_FALSE(fs::exists(cache_)) << "nothing to add";

  const auto logits = Logits(*plain);
  EXPECT_TRUE(SameBits(logits, Logits(*first)));
  EXPECT_TRUE(SameBits(logits, Logits(*second)));
  EXPECT_TRUE(SameBits(logits, Logits(*beside)));
  for (Model* model : {plain.get(), first.get(), second.get(), beside.get()}) {
    EXPECT_TRUE(model->CheckIntegrity({}));
  }
}

TEST_P(PackedForm, ASmallModelIsNotKeptUnlessAskedFor) {
  EXPECT_FALSE(Load(model_, Fast(cache_, PackSaving::kWorthwhile))->packed().saved);
  EXPECT_FALSE(Load(model_, Fast(cache_, PackSaving::kNever))->packed().saved);
  EXPECT_TRUE(fs::is_empty(cache_));
}

TEST_P(PackedForm, GoesWithACopyOfItsModel) {
  Load(model_, Fast(folder_.path()));
  const TempFolder elsewhere;
  for (const char* name : {"model.gguf", "model.gguf.pack"}) {
    fs::copy_file(folder_.path() / name, elsewhere.path() / name);
  }
  const auto copy = Load(elsewhere.path() / "model.gguf", Fast(elsewhere.path()));
  EXPECT_EQ(copy->packed().cached, 15);
  // Without the digest nobody can know whose content it is.
  auto options = Fast(elsewhere.path(), PackSaving::kNever);
  options.hash = false;
  EXPECT_EQ(Load(elsewhere.path() / "model.gguf", options)->packed().cached, 0);
}

TEST_P(PackedForm, OfOtherWeightsIsNotUsed) {
  const auto old = Logits(*Load(model_, Fast(folder_.path())));
  struct stat before {};
  ASSERT_EQ(stat(model_.c_str(), &before), 0);
  // Other weights of the same size under the same name, with the old file's times.
  const auto other = Quantized(folder_.Write("other.gguf", RandomLlama(8)), "new.gguf");
  ASSERT_EQ(fs::file_size(other), fs::file_size(model_));
  fs::rename(other, model_);
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, model_.c_str(), times, 0), 0);
  const auto changed = Load(model_, Fast(folder_.path()));
  EXPECT_EQ(changed->packed().cached, 0);
  EXPECT_TRUE(changed->packed().saved);
  EXPECT_FALSE(SameBits(old, Logits(*changed)));
  EXPECT_TRUE(SameBits(Logits(*Load(model_, Fast({}))), Logits(*changed)));
}

// Somebody who can write the cache makes it consistent in itself.
TEST_P(PackedForm, ForgedTilesAreFoundByPackingAgain) {
  Load(model_, Fast(folder_.path()));
  const auto path = folder_.path() / "model.gguf.pack";
  std::string bytes = ReadAll(path);
  constexpr size_t kHead = 80, kEntry = 80, kDigest = 32;
  uint32_t count = 0;
  std::memcpy(&count, bytes.data() + 12, sizeof count);
  ASSERT_EQ(count, 15u);
  char* entry = bytes.data() + kHead + 9 * kEntry;
  uint64_t position = 0, size = 0;
  std::memcpy(&position, entry + 32, sizeof position);
  std::memcpy(&size, entry + 40, sizeof size);
  ASSERT_LT(size, 1u << 20);
  bytes[position + 5] = static_cast<char>(bytes[position + 5] ^ 1);
  char piece[kDigest];
  Hash(bytes.data() + position, size, piece);
  Hash(piece, sizeof piece, entry + 48);
  const size_t end = kHead + count * kEntry;
  Hash(bytes.data(), end, bytes.data() + end);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;

  const auto model = Load(model_, Fast(folder_.path()));
  ASSERT_EQ(model->packed().cached, 15) << "the forgery is not consistent";
  const auto checked = model->CheckIntegrity({});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, Code::kBadFile);
  EXPECT_THAT(checked.error().message, HasSubstr("model.gguf.pack"));
}

TEST_P(PackedForm, AFileThatChangesInUseIsFound) {
  const auto model = Load(model_, Fast({}));
  EXPECT_TRUE(model->CheckIntegrity({}));
  fs::last_write_time(model_, fs::file_time_type::clock::now());
  EXPECT_TRUE(model->CheckIntegrity({})) << "its content is what it was";
  {
    std::fstream file(model_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(-3, std::ios::end);
    file.put('\x55');
  }
  const auto checked = model->CheckIntegrity({});
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, HasSubstr("changed while they were in use"));
}

TEST_P(PackedForm, ANewFileUnderTheNameIsNoChange) {
  const auto model = Load(model_, Fast({}));
  fs::rename(Quantized(folder_.Write("other.gguf", RandomLlama(8)), "new.gguf"), model_);
  EXPECT_TRUE(model->CheckIntegrity({}));
}

}  // namespace
}  // namespace portcullis::inference
