#include "tests/inference/oracle/vocabulary_file.h"

#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <vector>

#include "inference/model/gguf_writer.h"

namespace portcullis::inference {

namespace json = boost::json;

Result<void> WriteVocabularyFile(const std::filesystem::path& folder, const std::string& pre,
                                 const std::filesystem::path& path) {
  std::ifstream file(folder / "tokenizer.json", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const json::value root = json::parse(text);
  const json::object& model = root.at("model").as_object();
  enum : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  const auto put = [&](int64_t id, std::string_view token, int32_t type) {
    if (static_cast<size_t>(id) >= tokens.size()) {
      tokens.resize(static_cast<size_t>(id) + 1);
      types.resize(static_cast<size_t>(id) + 1, kUnused);
    }
    tokens[static_cast<size_t>(id)] = token;
    types[static_cast<size_t>(id)] = type;
  };
  for (const auto& [token, id] : model.at("vocab").as_object()) {
    const bool byte = pre.empty() && token.size() == 6 && token.starts_with("<0x");
    put(id.as_int64(), token, byte ? kByte : kNormal);
  }
  for (const json::value& added : root.at("added_tokens").as_array()) {
    const std::string_view content = added.at("content").as_string();
    const bool special = added.at("special").as_bool();
    put(added.at("id").as_int64(), content,
        content == "<unk>" ? kUnknown : special ? kControl : kUserDefined);
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (types[i] == kUnused) tokens[i] = "[unused" + std::to_string(i) + "]";
  }
  std::vector<std::string> merges;
  for (const json::value& merge : model.at("merges").as_array()) {
    merges.emplace_back(merge.is_string() ? std::string(merge.get_string())
                                          : std::string(merge.at(0).as_string()) + " " +
                                                std::string(merge.at(1).as_string()));
  }
  gguf::Writer writer;
  writer.SetString("general.architecture", "llama");
  writer.SetString("tokenizer.ggml.model", pre.empty() ? "llama" : "gpt2");
  writer.SetStrings("tokenizer.ggml.tokens", tokens);
  writer.SetInts("tokenizer.ggml.token_type", types);
  if (pre.empty()) {
    // A token's score says when it is merged: earlier is higher.
    std::map<std::string, size_t> ranks;
    for (size_t i = 0; i < merges.size(); ++i) {
      const size_t space = merges[i].find(' ', 1);
      ranks.emplace(merges[i].substr(0, space) + merges[i].substr(space + 1), i);
    }
    std::vector<float> scores;
    for (const std::string& token : tokens) {
      const auto found = ranks.find(token);
      scores.push_back(-static_cast<float>(found == ranks.end() ? merges.size() : found->second));
    }
    writer.SetFloats("tokenizer.ggml.scores", scores);
  } else {
    writer.SetString("tokenizer.ggml.pre", pre);
    writer.SetStrings("tokenizer.ggml.merges", merges);
  }
  BOOST_OUTCOME_TRY(writer.Begin(path));
  return writer.Finish();
}

}  // namespace portcullis::inference
