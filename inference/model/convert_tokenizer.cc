// The vocabulary of tokenizer.json as GGUF metadata: byte-level BPE as "gpt2" with its merges,
// SentencePiece-like BPE with byte fallback as "llama" with scores. GGUF knows the ways of
// splitting text by name only, so an unknown way is refused: with a wrong one a model would read
// nonsense.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <algorithm>
#include <map>

#include "inference/model/convert_plan.h"
#include "inference/model/json.h"
#include "inference/model/limits.h"
#include "inference/tokenizer/pretokenize.h"
#include "inference/tokenizer/tokenizer.h"

namespace portcullis::inference::convert {
namespace {

namespace json = boost::json;

constexpr size_t kMaxTokenizerBytes = 64 << 20;
constexpr size_t kMaxConfigBytes = 4 << 20;

// tokenizer.ggml.token_type
enum : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

const json::value kNull;

// Objects have a way of their own: as a value they would be copied, and the copy would not live.
const json::value& Member(const json::object& object, std::string_view key) {
  const auto* found = object.if_contains(key);
  return found == nullptr ? kNull : *found;
}
const json::value& Member(const json::value& value, std::string_view key) {
  const auto* object = value.if_object();
  return object == nullptr ? kNull : Member(*object, key);
}

std::string_view TextOf(const json::value& value) {
  const auto* text = value.if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

bool Holds(const json::value& value, bool otherwise) {
  return value.is_bool() ? value.get_bool() : otherwise;
}

// The parts of a pre-tokenizer or normaliser, one or a sequence of them.
std::vector<const json::value*> Parts(const json::value& value, std::string_view list) {
  std::vector<const json::value*> parts;
  if (TextOf(Member(value, "type")) == "Sequence") {
    if (const auto* array = Member(value, list).if_array()) {
      for (const auto& part : *array) parts.push_back(&part);
    }
  } else if (value.is_object()) {
    parts.push_back(&value);
  }
  return parts;
}

class TokenizerPlanner {
 public:
  TokenizerPlanner(const json::object& root, int64_t vocab_size, std::string where)
      : root_(root), where_(std::move(where)), tokens_(static_cast<size_t>(vocab_size)),
        types_(static_cast<size_t>(vocab_size), kUnused) {}

  Result<void> Run(gguf::Writer& writer) {
    const json::value& model = Member(root_, "model");
    if (TextOf(Member(model, "type")) != "BPE") return Bad("`model.type` is not BPE");
    const bool fallback = Holds(Member(model, "byte_fallback"), false);
    BOOST_OUTCOME_TRY(ReadTokens(model, fallback));
    if (fallback) {
      WriteScores(writer);
    } else {
      BOOST_OUTCOME_TRY(const auto merges, ReadMerges(model));
      BOOST_OUTCOME_TRY(const auto name, SplitName());
      writer.SetString("tokenizer.ggml.model", "gpt2");
      writer.SetString("tokenizer.ggml.pre", name);
      writer.SetStrings("tokenizer.ggml.merges", merges);
    }
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (types_[i] == kUnused) tokens_[i] = "[UNUSED" + std::to_string(i) + "]";
    }
    writer.SetStrings("tokenizer.ggml.tokens", tokens_);
    writer.SetInts("tokenizer.ggml.token_type", types_);
    return boost::outcome_v2::success();
  }

  // The id of a token by its text, or none.
  std::optional<uint32_t> Find(std::string_view text) const {
    const auto found = ids_.find(text);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  Error Bad(const std::string& problem) const {
    return {Code::kBadTokenizer, where_ + ": " + problem};
  }

  Result<void> Put(std::string_view text, const json::value& id, int32_t type) {
    if (!id.is_int64() || id.get_int64() < 0 ||
        id.get_int64() >= static_cast<int64_t>(tokens_.size())) {
      return Bad("the id of token `" + std::string(text.substr(0, 40)) +
                 "` lies outside the model's vocabulary of " + std::to_string(tokens_.size()));
    }
    const auto index = static_cast<size_t>(id.get_int64());
    tokens_[index] = text;
    types_[index] = type;
    ids_[std::string(text)] = static_cast<uint32_t>(index);
    return boost::outcome_v2::success();
  }

  Result<void> ReadTokens(const json::value& model, bool fallback) {
    const auto* vocab = Member(model, "vocab").if_object();
    if (vocab == nullptr) return Bad("`model.vocab` is not an object");
    for (const auto& entry : *vocab) {
      const std::string_view text(entry.key());
      const bool byte = fallback && text.size() == 6 && text.starts_with("<0x");
      BOOST_OUTCOME_TRY(Put(text, entry.value(), byte ? kByte : kNormal));
    }
    if (const auto* added = Member(root_, "added_tokens").if_array()) {
      for (const auto& token : *added) {
        const bool special = Holds(Member(token, "special"), false);
        BOOST_OUTCOME_TRY(Put(TextOf(Member(token, "content")), Member(token, "id"),
                              special ? kControl : kUserDefined));
      }
    }
    const auto unknown = Find(TextOf(Member(model, "unk_token")));
    if (unknown) types_[*unknown] = kUnknown;
    return boost::outcome_v2::success();
  }

  // A merge is "left right" or [left, right].
  Result<std::vector<std::string>> ReadMerges(const json::value& model) const {
    const auto* merges = Member(model, "merges").if_array();
    if (merges == nullptr) return Bad("`model.merges` is not a list");
    std::vector<std::string> out;
    for (const auto& merge : *merges) {
      const auto* pair = merge.if_array();
      if (pair != nullptr && pair->size() == 2) {
        out.push_back(std::string(TextOf((*pair)[0])) + " " + std::string(TextOf((*pair)[1])));
      } else {
        out.emplace_back(TextOf(merge));
      }
      if (out.back().find(' ', 1) == std::string::npos) return Bad("a merge is not two tokens");
    }
    return out;
  }

  // SentencePiece numbers its tokens in the order of merging; earlier is better.
  void WriteScores(gguf::Writer& writer) const {
    std::vector<float> scores(tokens_.size(), 0.0f);
    float rank = 0;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (types_[i] == kNormal) scores[i] = -rank++;
    }
    bool prefix = false;
    for (const auto* part : Parts(Member(root_, "normalizer"), "normalizers")) {
      prefix = prefix || TextOf(Member(*part, "type")) == "Prepend";
    }
    for (const auto* part : Parts(Member(root_, "pre_tokenizer"), "pretokenizers")) {
      prefix = prefix || (TextOf(Member(*part, "type")) == "Metaspace" &&
                          TextOf(Member(*part, "prepend_scheme")) != "never");
    }
    writer.SetString("tokenizer.ggml.model", "llama");
    writer.SetFloats("tokenizer.ggml.scores", scores);
    writer.SetBool("tokenizer.ggml.add_space_prefix", prefix);
  }

  Result<std::string> SplitName() const {
    std::vector<std::string_view> patterns;
    bool own_split = false;
    for (const auto* part : Parts(Member(root_, "pre_tokenizer"), "pretokenizers")) {
      const std::string_view type = TextOf(Member(*part, "type"));
      if (type == "Split") {
        patterns.push_back(TextOf(Member(Member(*part, "pattern"), "Regex")));
        if (TextOf(Member(*part, "behavior")) != "Isolated") own_split = true;
      } else if (type != "ByteLevel" || Holds(Member(*part, "add_prefix_space"), false)) {
        own_split = true;
      } else if (Holds(Member(*part, "use_regex"), true)) {
        patterns.push_back(kGpt2Split);
      }
    }
    bool composes = false;
    for (const auto* part : Parts(Member(root_, "normalizer"), "normalizers")) {
      if (TextOf(Member(*part, "type")) == "NFC") {
        composes = true;
      } else {
        own_split = true;
      }
    }
    const auto name = PretokenizerName(patterns, composes);
    if (!own_split && name) return std::string(*name);
    return Bad("GGUF has no name for the way this tokenizer normalises and splits text, so that the "
               "model cannot be written as GGUF");
  }

  static constexpr std::string_view kGpt2Split =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

  const json::object& root_;
  std::string where_;
  std::vector<std::string> tokens_;
  std::vector<int32_t> types_;
  std::map<std::string, uint32_t, std::less<>> ids_;
};

Result<json::object> ReadObject(const std::filesystem::path& path, size_t limit) {
  BOOST_OUTCOME_TRY(const auto text, ReadSmallFile(path, limit));
  return ParseJsonObject(text, "`" + path.string() + "`");
}

// "…_token" is a text or an object with `content`.
std::string_view SpecialText(const json::value& config, const char* key) {
  const json::value& value = Member(config, key);
  return value.is_string() ? TextOf(value) : TextOf(Member(value, "content"));
}

// GGUF has keys for three tokens that end an answer.
void SetEnds(const Tokenizer& tokenizer, Plan& plan) {
  constexpr const char* kKeys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                   "tokenizer.ggml.eom_token_id"};
  std::vector<TokenId> ends;
  for (const TokenId id : tokenizer.ends()) {
    if (std::ranges::find(ends, id) == ends.end()) ends.push_back(id);
  }
  // The last key is that of Llama's end of a message.
  if (ends.size() > 2 && ends[1] == tokenizer.Control("<|eom_id|>")) std::swap(ends[1], ends[2]);
  for (size_t i = 0; i < ends.size(); ++i) {
    if (i < std::size(kKeys)) {
      plan.writer.SetInt(kKeys[i], static_cast<uint32_t>(ends[i]));
    } else {
      if (!plan.notes.empty()) plan.notes += "; ";
      plan.notes += "GGUF has no key for a fourth end of an answer, `" +
                    std::string(tokenizer.vocab().Bytes(ends[i])) + "`";
    }
  }
}

}  // namespace

Result<void> SetTokenizer(const std::filesystem::path& folder, int64_t vocab_size, Plan& plan) {
  gguf::Writer& writer = plan.writer;
  const auto path = folder / "tokenizer.json";
  BOOST_OUTCOME_TRY(const auto root, ReadObject(path, kMaxTokenizerBytes));
  TokenizerPlanner planner(root, vocab_size, "`" + path.string() + "`");
  BOOST_OUTCOME_TRY(planner.Run(writer));

  const auto config_path = folder / "tokenizer_config.json";
  std::error_code ignored;
  json::value config;
  if (std::filesystem::exists(config_path, ignored)) {
    BOOST_OUTCOME_TRY(auto object, ReadObject(config_path, kMaxConfigBytes));
    config = std::move(object);
  }
  const auto set = [&](const char* from, const char* to) {
    if (const auto id = planner.Find(SpecialText(config, from))) writer.SetInt(to, *id);
  };
  set("pad_token", "tokenizer.ggml.padding_token_id");
  set("unk_token", "tokenizer.ggml.unknown_token_id");

  BOOST_OUTCOME_TRY(const auto tokenizer, Tokenizer::FromFolder(folder));
  if (tokenizer->bos() != kNoToken) {
    writer.SetInt("tokenizer.ggml.bos_token_id", static_cast<uint32_t>(tokenizer->bos()));
  }
  writer.SetBool("tokenizer.ggml.add_bos_token", tokenizer->add_bos());
  SetEnds(*tokenizer, plan);
  if (!tokenizer->chat_template().empty()) {
    writer.SetString("tokenizer.chat_template", tokenizer->chat_template());
  }
  return boost::outcome_v2::success();
}

}  // namespace portcullis::inference::convert
