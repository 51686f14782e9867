#include "policy/cedar/folder.h"

#include <algorithm>
#include <fstream>
#include <system_error>

#include "policy/cedar/ast.h"
#include "policy/cedar/json.h"
#include "policy/cedar/policy_json.h"
#include "policy/cedar/text.h"

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

namespace {

Result<std::vector<TemplateLink>> ReadLinks(const fs::path& path) {
  std::vector<TemplateLink> links;
  std::error_code error;
  if (!fs::exists(path, error)) return links;
  BOOST_OUTCOME_TRY(const std::string text, ReadTextFile(path, kMaxJsonText));
  BOOST_OUTCOME_TRY(const Json document, ParseJson(text, path.string()));
  if (!document.IsArray()) return Error{Code::kJson, path.string() + ": expected a list of links"};
  for (size_t i = 0; i < document.items.size(); ++i) {
    BOOST_OUTCOME_TRY(
        TemplateLink link,
        LinkFromJson(document.items[i], path.string() + "[" + std::to_string(i) + "]"));
    links.push_back(std::move(link));
  }
  return links;
}

// A template that nothing links decides nothing, which nobody means.
Result<void> CheckLinked(const PolicySet& policies) {
  for (const Policy& pattern : policies.templates()) {
    const bool linked =
        std::any_of(policies.policies().begin(), policies.policies().end(),
                    [&](const Policy& policy) { return policy.template_id == pattern.id; });
    if (linked) continue;
    const SourceFile& file = policies.files().FileOf(pattern);
    return Error{Code::kUnsupported, Located(file.name, file.text, pattern.offset,
                                             "no link in links.json uses this template, so it "
                                             "would decide nothing")};
  }
  return boost::outcome_v2::success();
}

}  // namespace

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
  BOOST_OUTCOME_TRY(const std::vector<TemplateLink> links, ReadLinks(dir / "links.json"));
  BOOST_OUTCOME_TRY(
      folder.policies,
      PolicySet::Parse(sources, links.empty() ? Templates::kRefuse : Templates::kKeep, links));
  BOOST_OUTCOME_TRY(CheckLinked(folder.policies));
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
