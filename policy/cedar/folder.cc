#include "policy/cedar/folder.h"

#include <algorithm>
#include <fstream>
#include <system_error>

#include "policy/cedar/json.h"

namespace portcullis::policy::cedar {
namespace fs = std::filesystem;

Result<std::string> ReadTextFile(const fs::path& path, size_t limit) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return Error{Code::kFile, path.string() + ": " + error.message()};
  if (size > limit) {
    return Error{Code::kTooLarge,
                 path.string() + ": larger than " + std::to_string(limit) + " bytes"};
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(size, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(size))) {
    return Error{Code::kFile, path.string() + ": cannot be read"};
  }
  return text;
}

Result<Folder> LoadFolder(const fs::path& dir) {
  std::error_code error;
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir, error)) {
    if (entry.path().extension() == ".cedar") paths.push_back(entry.path());
  }
  if (error) return Error{Code::kFile, dir.string() + ": " + error.message()};
  if (paths.empty()) return Error{Code::kFile, dir.string() + ": holds no policies (*.cedar)"};
  std::sort(paths.begin(), paths.end());
  std::vector<SourceFile> sources;
  for (const fs::path& path : paths) {
    BOOST_OUTCOME_TRY(std::string text, ReadTextFile(path, kMaxPolicyText));
    sources.push_back({path.string(), std::move(text)});
  }
  Folder folder;
  BOOST_OUTCOME_TRY(folder.policies, PolicySet::Parse(sources));
  if (const fs::path path = dir / "schema.cedarschema"; fs::exists(path, error)) {
    BOOST_OUTCOME_TRY(const std::string text, ReadTextFile(path, kMaxPolicyText));
    BOOST_OUTCOME_TRY(Schema schema, Schema::Parse(text, path.string()));
    folder.schema = std::make_unique<const Schema>(std::move(schema));
  }
  if (const fs::path path = dir / "entities.json"; fs::exists(path, error)) {
    BOOST_OUTCOME_TRY(const std::string text, ReadTextFile(path, kMaxJsonText));
    BOOST_OUTCOME_TRY(folder.entities,
                      Entities::ParseJson(text, folder.schema.get(), path.string()));
  }
  return folder;
}

}  // namespace portcullis::policy::cedar
