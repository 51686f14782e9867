// A model in several GGUF files. The input is cut where it says: two bytes of a part's length, the
// part. What opens has parts that agree, and every tensor lies in one of the mapped files.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "inference/model/gguf.h"

namespace {

constexpr size_t kMostParts = 4;

std::filesystem::path Folder() {
  static const std::filesystem::path folder = [] {
    std::string name = (std::filesystem::temp_directory_path() / "fuzz_gguf_split-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) abort();
    return std::filesystem::path(name);
  }();
  return folder;
}

std::filesystem::path PartPath(size_t number, size_t count) {
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "m-%05zu-of-%05zu.gguf", number, count);
  return Folder() / name.data();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::pair<const uint8_t*, size_t>> parts;
  for (size_t at = 0; at + 2 <= size && parts.size() < kMostParts;) {
    const size_t wanted = data[at] + size_t{256} * data[at + 1];
    at += 2;
    const size_t length = std::min(wanted, size - at);
    parts.emplace_back(data + at, length);
    at += length;
  }
  if (parts.empty()) return 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto path = PartPath(i + 1, parts.size());
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || write(file, parts[i].first, parts[i].second) !=
                        static_cast<ssize_t>(parts[i].second)) {
      abort();
    }
    close(file);
  }
  // What is mapped stays; nothing is left behind wherever the fuzzer ends.
  struct Remover {
    ~Remover() {
      for (size_t i = 1; i <= count; ++i) unlink(PartPath(i, count).c_str());
    }
    size_t count;
  } const remover{parts.size()};
  const auto opened = portcullis::inference::gguf::File::Open(PartPath(1, parts.size()));
  if (!opened) return 0;
  unsigned sum = 0;
  for (const auto& tensor : opened.value()->tensors()) {
    bool held = tensor.bytes.empty();
    const std::less_equal<const std::byte*> before;
    for (const auto* file : opened.value()->files()) {
      const auto bytes = file->bytes();
      const std::byte* end = tensor.bytes.data() + tensor.bytes.size();
      held = held || (before(bytes.data(), tensor.bytes.data()) &&
                      before(end, bytes.data() + bytes.size()));
    }
    if (!held) abort();
    if (!tensor.bytes.empty()) sum += static_cast<unsigned>(tensor.bytes.back());
  }
  volatile unsigned keep = sum;
  static_cast<void>(keep);
  return 0;
}
