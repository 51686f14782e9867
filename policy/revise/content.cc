#include "policy/revise/content.h"

#include <algorithm>
#include <boost/json/array.hpp>

#include "policy/cedar/folder.h"

namespace portcullis::policy::revise {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view kMagic = "portcullis policy content 1";

bool IsFileName(std::string_view name) {
  if (name.empty() || name.size() > kMaxFileName || name.front() == '/') return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == '/';
  });
}

Result<void> CheckFiles(const std::vector<TextFile>& files, std::string_view what) {
  if (files.size() > kMaxContentFiles) {
    return Error{Code::kTooLarge, "more than " + std::to_string(kMaxContentFiles) + " files of " +
                                      std::string(what)};
  }
  for (size_t i = 0; i < files.size(); ++i) {
    if (!IsFileName(files[i].name)) {
      return Error{Code::kFile, "`" + files[i].name.substr(0, kMaxFileName) +
                                    "` cannot be the name of a file of " + std::string(what) +
                                    ": use letters, digits, `.`, `-`, `_`, `/`"};
    }
    if (i > 0 && files[i - 1].name >= files[i].name) {
      return Error{Code::kFile, "the files of " + std::string(what) +
                                    " are not sorted by name or one comes twice: `" +
                                    files[i].name + "`"};
    }
  }
  return boost::outcome_v2::success();
}

void WriteFiles(ByteWriter& writer, const std::vector<TextFile>& files) {
  writer.Number(files.size());
  for (const TextFile& file : files) writer.Text(file.name).Text(file.text);
}

Result<std::vector<TextFile>> ReadFiles(ByteReader& reader) {
  BOOST_OUTCOME_TRY(const uint64_t count, reader.NumberUpTo(kMaxContentFiles));
  std::vector<TextFile> files;
  for (uint64_t i = 0; i < count; ++i) {
    BOOST_OUTCOME_TRY(const std::string_view name, reader.Text(kMaxFileName));
    BOOST_OUTCOME_TRY(const std::string_view text, reader.Text(kMaxContentBytes));
    files.push_back({std::string(name), std::string(text)});
  }
  return files;
}

Result<std::vector<TextFile>> FilesIn(const fs::path& dir, const std::string& prefix,
                                      std::initializer_list<std::string_view> extensions) {
  std::vector<TextFile> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir, error)) {
    const std::string extension = entry.path().extension().string();
    if (std::ranges::find(extensions, extension) == extensions.end()) continue;
    BOOST_OUTCOME_TRY(std::string text, cedar::ReadTextFile(entry.path(), kMaxContentBytes));
    files.push_back({prefix + entry.path().filename().string(), std::move(text)});
  }
  std::ranges::sort(files, {}, &TextFile::name);
  return files;
}

json::array FilesJson(const std::vector<TextFile>& files) {
  json::array out;
  for (const TextFile& file : files) out.push_back({{"name", file.name}, {"text", file.text}});
  return out;
}

Result<std::string> TextMember(const json::object& object, std::string_view name, bool required) {
  const json::value* member = object.if_contains(name);
  if (member == nullptr && !required) return std::string();
  if (member == nullptr || !member->is_string()) {
    return Error{Code::kJson, "`" + std::string(name) + "` must be a string"};
  }
  return std::string(member->get_string());
}

Result<std::vector<TextFile>> FilesMember(const json::object& object, std::string_view name) {
  std::vector<TextFile> files;
  const json::value* member = object.if_contains(name);
  if (member == nullptr) return files;
  if (!member->is_array()) {
    return Error{Code::kJson, "`" + std::string(name) + R"(` must be a list of {"name","text"})"};
  }
  for (const json::value& item : member->get_array()) {
    const json::object* file = item.if_object();
    if (file == nullptr || file->size() != 2) {
      return Error{Code::kJson, "`" + std::string(name) + R"(` must be a list of {"name","text"})"};
    }
    BOOST_OUTCOME_TRY(std::string file_name, TextMember(*file, "name", true));
    BOOST_OUTCOME_TRY(std::string text, TextMember(*file, "text", true));
    files.push_back({std::move(file_name), std::move(text)});
  }
  std::ranges::sort(files, {}, &TextFile::name);
  return files;
}

}  // namespace

std::string Encode(const Content& content) {
  ByteWriter writer;
  writer.Text(kMagic);
  WriteFiles(writer, content.policies);
  writer.Text(content.schema).Text(content.entities).Text(content.facts);
  WriteFiles(writer, content.tests);
  return writer.Take();
}

Result<Content> DecodeContent(std::string_view document) {
  if (document.size() > kMaxContentBytes) {
    return Error{Code::kTooLarge, "the content of a revision has more than " +
                                      std::to_string(kMaxContentBytes) + " bytes"};
  }
  ByteReader reader(document, "content of a revision");
  Content content;
  BOOST_OUTCOME_TRY(reader.Expect(kMagic));
  BOOST_OUTCOME_TRY(content.policies, ReadFiles(reader));
  BOOST_OUTCOME_TRY(content.schema, reader.Text(kMaxContentBytes));
  BOOST_OUTCOME_TRY(content.entities, reader.Text(kMaxContentBytes));
  BOOST_OUTCOME_TRY(content.facts, reader.Text(kMaxContentBytes));
  BOOST_OUTCOME_TRY(content.tests, ReadFiles(reader));
  BOOST_OUTCOME_TRY(reader.End());
  BOOST_OUTCOME_TRY(CheckForm(content));
  return content;
}

Hash HashOf(const Content& content) { return Sha256(Encode(content)); }

Result<void> CheckForm(const Content& content) {
  BOOST_OUTCOME_TRY(CheckFiles(content.policies, "policies"));
  BOOST_OUTCOME_TRY(CheckFiles(content.tests, "tests"));
  const size_t size = Encode(content).size();
  if (size > kMaxContentBytes) {
    return Error{Code::kTooLarge, "the revision has " + std::to_string(size) + " bytes; at most " +
                                      std::to_string(kMaxContentBytes) + " are kept"};
  }
  return boost::outcome_v2::success();
}

Result<Content> ReadContent(const fs::path& dir) {
  std::error_code error;
  if (!fs::is_directory(dir, error)) {
    return Error{Code::kFile, dir.string() + ": is not a folder"};
  }
  Content content;
  BOOST_OUTCOME_TRY(content.policies, FilesIn(dir, "", {".cedar"}));
  if (content.policies.empty()) {
    return Error{Code::kFile, dir.string() + ": holds no policies (*.cedar)"};
  }
  BOOST_OUTCOME_TRY(content.schema,
                    cedar::ReadTextFile(dir / "schema.cedarschema", kMaxContentBytes));
  content.entities = "[]";
  if (fs::exists(dir / "entities.json", error)) {
    BOOST_OUTCOME_TRY(content.entities,
                      cedar::ReadTextFile(dir / "entities.json", kMaxContentBytes));
  }
  if (fs::is_directory(dir / "tests", error)) {
    BOOST_OUTCOME_TRY(content.tests, FilesIn(dir / "tests", "", {".test", ".json"}));
  }
  BOOST_OUTCOME_TRY(CheckForm(content));
  return content;
}

json::object ToJson(const Content& content) {
  return {{"policies", FilesJson(content.policies)},
          {"schema", content.schema},
          {"entities", content.entities},
          {"facts", content.facts},
          {"tests", FilesJson(content.tests)}};
}

Result<Content> ContentFromJson(const json::value& value) {
  const json::object* object = value.if_object();
  if (object == nullptr) return Error{Code::kJson, "the content of a revision must be an object"};
  for (const auto& member : *object) {
    const std::string_view name = member.key();
    if (name != "policies" && name != "schema" && name != "entities" && name != "facts" &&
        name != "tests") {
      return Error{Code::kJson,
                   "the content of a revision has no member `" + std::string(name) + "`"};
    }
  }
  Content content;
  BOOST_OUTCOME_TRY(content.policies, FilesMember(*object, "policies"));
  BOOST_OUTCOME_TRY(content.schema, TextMember(*object, "schema", true));
  BOOST_OUTCOME_TRY(content.entities, TextMember(*object, "entities", true));
  BOOST_OUTCOME_TRY(content.facts, TextMember(*object, "facts", false));
  BOOST_OUTCOME_TRY(content.tests, FilesMember(*object, "tests"));
  BOOST_OUTCOME_TRY(CheckForm(content));
  return content;
}

}  // namespace portcullis::policy::revise
