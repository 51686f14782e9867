// A model in several GGUF files, NAME-00001-of-0000N.gguf: the first holds the metadata, each some
// of the tensors. The parts must agree on their number, on their own places and on the number of
// all tensors, so that a missing, exchanged or foreign part is told by its name.
#include <array>
#include <cstdio>
#include <string>

#include "inference/model/gguf.h"

namespace portcullis::inference::gguf {
namespace {

constexpr int64_t kMaxParts = 4096;

std::string PartSuffix(int64_t number, int64_t count) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "-%05lld-of-%05lld.gguf", static_cast<long long>(number),
                static_cast<long long>(count));
  return text.data();
}

Error Wrong(const std::filesystem::path& path, const std::string& problem) {
  return {Code::kBadFile, "`" + path.string() + "`: " + problem};
}

}  // namespace

Result<int64_t> File::PartCount() const {
  if (!Has("split.count")) return 1;
  BOOST_OUTCOME_TRY(const int64_t count, Int("split.count"));
  if (count < 0 || count > kMaxParts) {
    return Error{Code::kBadFile, "GGUF: `split.count` is " + std::to_string(count)};
  }
  return std::max<int64_t>(1, count);
}

Result<std::unique_ptr<File>> File::Open(const std::filesystem::path& path) {
  BOOST_OUTCOME_TRY(auto file, OpenOne(path));
  const auto count = file->PartCount();
  if (!count) return Wrong(path, count.error().message);
  if (count.value() > 1) {
    BOOST_OUTCOME_TRY(file->AddParts(path, count.value()));
  }
  return file;
}

Result<void> File::AddParts(const std::filesystem::path& path, int64_t count) {
  const auto place = [](const File& file) {
    const auto number = file.Int("split.no");
    return number ? number.value() : int64_t{-1};
  };
  const std::string name = path.filename().string();
  const std::string suffix = PartSuffix(1, count);
  if (place(*this) != 0 || !name.ends_with(suffix)) {
    return Wrong(path, "a model of " + std::to_string(count) +
                           " files is opened by its first, NAME" + suffix);
  }
  const std::string stem = name.substr(0, name.size() - suffix.size());
  for (int64_t i = 1; i < count; ++i) {
    const auto part_path = path.parent_path() / (stem + PartSuffix(i + 1, count));
    BOOST_OUTCOME_TRY(auto part, OpenOne(part_path));
    const auto part_count = part->PartCount();
    if (!part_count || part_count.value() != count || place(*part) != i) {
      return Wrong(part_path, "is not part " + std::to_string(i + 1) + " of " +
                                  std::to_string(count) + " of this model");
    }
    tensors_.insert(tensors_.end(), part->tensors_.begin(), part->tensors_.end());
    parts_.push_back(std::move(part));
  }
  const auto indexed = IndexTensors();
  if (!indexed) return Wrong(path, "with its other parts: " + indexed.error().message);
  if (Has("split.tensors.count")) {
    BOOST_OUTCOME_TRY(const int64_t total, Int("split.tensors.count"));
    if (total != static_cast<int64_t>(tensors_.size())) {
      return Wrong(path, "the parts hold " + std::to_string(tensors_.size()) + " of " +
                             std::to_string(total) + " tensors");
    }
  }
  return boost::outcome_v2::success();
}

std::vector<const MappedFile*> File::files() const {
  std::vector<const MappedFile*> files;
  if (mapping_) files.push_back(&*mapping_);
  for (const auto& part : parts_) files.push_back(&*part->mapping_);
  return files;
}

}  // namespace portcullis::inference::gguf
