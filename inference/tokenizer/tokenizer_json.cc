// Reads Hugging Face's tokenizer.json with the files beside it. Foreign bytes: sizes, nesting,
// types and ids are checked; what this engine cannot do is refused by name.
#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <unordered_map>
#include <utility>

#include "inference/tokenizer/byte_level.h"
#include "inference/tokenizer/json_pipeline.h"
#include "inference/tokenizer/tokenizer.h"

namespace portcullis::inference {
namespace {

namespace json = boost::json;

constexpr size_t kMaxFile = 64 * 1024 * 1024;
constexpr std::string_view kMetaspace = "\u2581";

using Ids = boost::unordered_flat_map<std::string_view, TokenId>;

Result<json::value> Parse(std::string_view text, const char* file,
                          const json::storage_ptr& memory) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = 64;
  if (text.size() > kMaxFile) {
    return Error{Code::kTooLarge, std::string(file) + ": larger than 64 MiB"};
  }
  json::value value = json::parse(text, error, memory, options);
  if (error) return Error{Code::kBadTokenizer, std::string(file) + ": " + error.message()};
  if (!value.is_object()) return Error{Code::kBadTokenizer, std::string(file) + ": not an object"};
  return value;
}

const json::value& Member(const json::object& object, std::string_view key) {
  static const json::value kNull;
  const json::value* value = object.if_contains(key);
  return value == nullptr ? kNull : *value;
}

Result<TokenId> Id(const json::value& value) {
  json::error_code error;
  const auto id = value.to_number<int32_t>(error);
  if (error || id < 0) return BadTokenizerJson("a token id is not a small whole number");
  return id;
}

std::string SpacesForMetaspace(std::string_view text) {
  std::string out;
  for (;;) {
    const size_t at = text.find(kMetaspace);
    out.append(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    out.push_back(' ');
    text.remove_prefix(at + kMetaspace.size());
  }
}

int HexDigit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool IsByteToken(std::string_view token) {
  return token.size() == 6 && token.starts_with("<0x") && token[5] == '>' &&
         HexDigit(token[3]) >= 0 && HexDigit(token[4]) >= 0;
}

Result<void> ReadVocab(const json::object& model, const Alphabet& alphabet, bool byte_fallback,
                       Tokenizer::Parts& parts, Ids& ids) {
  const json::object* vocab = Member(model, "vocab").if_object();
  if (vocab == nullptr) return BadTokenizerJson("`model.vocab` is not an object");
  ids.reserve(vocab->size());
  for (const auto& entry : *vocab) {
    const std::string_view text = entry.key();
    BOOST_OUTCOME_TRY(const TokenId id, Id(entry.value()));
    ids.emplace(text, id);
    std::string bytes(text);
    TokenKind kind = TokenKind::kNormal;
    if (alphabet.byte_level) {
      auto raw = FromByteLevel(text);
      kind = raw ? TokenKind::kNormal : TokenKind::kUnused;
      if (raw) bytes = std::move(*raw);
    } else if (byte_fallback && IsByteToken(text)) {
      bytes.assign(1, static_cast<char>(HexDigit(text[3]) * 16 + HexDigit(text[4])));
      kind = TokenKind::kByte;
    } else if (alphabet.metaspace) {
      bytes = SpacesForMetaspace(text);
    }
    BOOST_OUTCOME_TRY(parts.vocab.Set(id, std::move(bytes), kind));
  }
  return boost::outcome_v2::success();
}

// An id has one text. If an added token could rename an ordinary one, user text that holds the old
// text would come out as a control token.
Result<void> CheckNames(const Ids& ids, const Vocab& vocab) {
  std::unordered_map<TokenId, std::string_view> added;
  for (const Vocab::Added& token : vocab.added()) {
    const auto [known, fresh] = added.emplace(token.id, token.content);
    if (!fresh && known->second != token.content) {
      return BadTokenizerJson("two added tokens share the id " + std::to_string(token.id));
    }
  }
  for (const auto& [text, id] : ids) {
    const auto found = added.find(id);
    if (found != added.end() && found->second != text) {
      return BadTokenizerJson("the id " + std::to_string(id) +
                              " has one text in the vocabulary and another in `added_tokens`");
    }
  }
  return boost::outcome_v2::success();
}

Result<void> ReadAdded(const json::object& root, Tokenizer::Parts& parts) {
  const json::value& value = Member(root, "added_tokens");
  if (value.is_null()) return boost::outcome_v2::success();
  if (!value.is_array()) return BadTokenizerJson("`added_tokens` is not a list");
  for (const json::value& item : value.get_array()) {
    const json::object* object = item.if_object();
    if (object == nullptr) return BadTokenizerJson("an added token is not an object");
    Vocab::Added added;
    BOOST_OUTCOME_TRY(added.id, Id(Member(*object, "id")));
    BOOST_OUTCOME_TRY(const auto content, StringOr(*object, "content", ""));
    BOOST_OUTCOME_TRY(added.normalized, BoolOr(*object, "normalized", false));
    BOOST_OUTCOME_TRY(added.strip_left, BoolOr(*object, "lstrip", false));
    BOOST_OUTCOME_TRY(added.strip_right, BoolOr(*object, "rstrip", false));
    BOOST_OUTCOME_TRY(const bool single_word, BoolOr(*object, "single_word", false));
    BOOST_OUTCOME_TRY(const bool special, BoolOr(*object, "special", false));
    if (single_word) {
      return Error{Code::kUnsupported,
                   "tokenizer.json: added tokens with `single_word` are not supported"};
    }
    added.content = content;
    BOOST_OUTCOME_TRY(parts.vocab.AddAdded(std::move(added), special));
  }
  return boost::outcome_v2::success();
}

Result<void> ReadMerges(const json::object& model, const Ids& ids, Tokenizer::Parts& parts) {
  const json::array* merges = Member(model, "merges").if_array();
  if (merges == nullptr) return BadTokenizerJson("`model.merges` is not a list");
  uint32_t rank = 0;
  std::string joined;
  for (const json::value& merge : *merges) {
    std::string_view left, right;
    if (const json::string* text = merge.if_string()) {
      const std::string_view both = *text;
      const size_t space = both.find(' ', 1);
      if (space == std::string_view::npos) return BadTokenizerJson("a merge is not two tokens");
      left = both.substr(0, space);
      right = both.substr(space + 1);
    } else {
      const json::array* pair = merge.if_array();
      if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_string() ||
          !(*pair)[1].is_string()) {
        return BadTokenizerJson("a merge is not two tokens");
      }
      left = (*pair)[0].get_string();
      right = (*pair)[1].get_string();
    }
    joined.assign(left).append(right);
    const auto a = ids.find(left);
    const auto b = ids.find(right);
    const auto c = ids.find(joined);
    if (a == ids.end() || b == ids.end() || c == ids.end()) {
      return BadTokenizerJson("merge " + std::to_string(rank) + " names a token that is missing");
    }
    // A control token must not come out of ordinary text, whatever the table says.
    if (!parts.vocab.IsControl(c->second))
      parts.bpe.AddMerge(a->second, b->second, rank, c->second);
    ++rank;
  }
  return boost::outcome_v2::success();
}

// The begin-of-sentence token that the post-processor puts in front, if any.
Result<std::string_view> LeadingSpecial(const json::value& processor, int depth = 0) {
  const json::object* object = processor.if_object();
  if (object == nullptr || depth > 4) return std::string_view{};
  BOOST_OUTCOME_TRY(const auto type, StringOr(*object, "type", ""));
  if (type == "Sequence") {
    const json::array* list = Member(*object, "processors").if_array();
    for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
      BOOST_OUTCOME_TRY(const auto found, LeadingSpecial((*list)[i], depth + 1));
      if (!found.empty()) return found;
    }
  }
  if (type != "TemplateProcessing") return std::string_view{};
  const json::array* single = Member(*object, "single").if_array();
  const json::object* first =
      single == nullptr || single->empty() ? nullptr : (*single)[0].if_object();
  const json::object* special =
      first == nullptr ? nullptr : Member(*first, "SpecialToken").if_object();
  if (special == nullptr) return std::string_view{};
  return StringOr(*special, "id", "");
}

// A token in tokenizer_config.json: its text, or an object with its text.
std::string_view TokenText(const json::value& value) {
  const json::value& text = value.is_object() ? Member(value.get_object(), "content") : value;
  return text.is_string() ? std::string_view(text.get_string()) : std::string_view{};
}

void ReadConfig(const json::object& config, Tokenizer::Parts& parts) {
  const auto find = [&](std::string_view key) {
    const std::string_view text = TokenText(Member(config, key));
    return text.empty() ? kNoToken : parts.vocab.FindAdded(text);
  };
  if (const TokenId bos = find("bos_token"); bos != kNoToken) parts.bos = bos;
  if (const TokenId eos = find("eos_token"); eos != kNoToken) parts.ends.push_back(eos);
  if (const json::value& add = Member(config, "add_bos_token"); add.is_bool()) {
    parts.add_bos = add.get_bool();
  }
  const json::value& text = Member(config, "chat_template");
  if (text.is_string()) parts.chat_template = std::string_view(text.get_string());
  if (!text.is_array()) return;
  for (const json::value& item : text.get_array()) {
    const json::object* named = item.if_object();
    if (named != nullptr && TokenText(Member(*named, "name")) == "default") {
      parts.chat_template = TokenText(Member(*named, "template"));
    }
  }
}

void ReadEnds(const json::object& config, Tokenizer::Parts& parts) {
  const auto add = [&](const json::value& value) {
    json::error_code error;
    const auto id = value.to_number<int32_t>(error);
    if (!error && parts.vocab.Has(id)) parts.ends.push_back(id);
  };
  const json::value& value = Member(config, "eos_token_id");
  if (value.is_array()) {
    for (const json::value& id : value.get_array()) add(id);
  } else if (value.is_number()) {
    add(value);
  }
}

Result<std::string> ReadFile(const std::filesystem::path& path, bool required) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    if (!required) return std::string();
    return Error{Code::kIo, "cannot read `" + path.string() +
                                "`: a model folder needs its tokenizer.json to write text"};
  }
  const auto size = static_cast<size_t>(file.tellg());
  if (size > kMaxFile) return Error{Code::kTooLarge, "`" + path.string() + "` exceeds 64 MiB"};
  std::string text(size, '\0');
  file.seekg(0);
  file.read(text.data(), static_cast<std::streamsize>(size));
  if (!file) return Error{Code::kIo, "cannot read `" + path.string() + "`"};
  return text;
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromJson(const JsonFiles& files) {
  json::monotonic_resource arena;
  BOOST_OUTCOME_TRY(const json::value root_value, Parse(files.tokenizer, "tokenizer.json", &arena));
  const json::object& root = root_value.get_object();
  const json::object* model = Member(root, "model").if_object();
  if (model == nullptr) return BadTokenizerJson("`model` is missing");
  BOOST_OUTCOME_TRY(const auto type, StringOr(*model, "type", "BPE"));
  if (type != "BPE") {
    return Error{Code::kUnsupported, "tokenizer.json: model type `" +
                                         std::string(type.substr(0, 80)) +
                                         "` is not supported; known is BPE"};
  }
  for (const auto key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    BOOST_OUTCOME_TRY(const auto affix, StringOr(*model, key, ""));
    if (!affix.empty()) {
      return Error{Code::kUnsupported,
                   "tokenizer.json: `" + std::string(key) + "` is not supported"};
    }
  }
  Parts parts;
  Alphabet alphabet;
  BOOST_OUTCOME_TRY(ReadNormalizer(Member(root, "normalizer"), parts));
  BOOST_OUTCOME_TRY(ReadPretokenizer(Member(root, "pre_tokenizer"), parts, alphabet));
  BOOST_OUTCOME_TRY(ReadDecoder(Member(root, "decoder"), parts, alphabet));
  if (alphabet.byte_level && alphabet.metaspace) {
    return BadTokenizerJson("ByteLevel and Metaspace exclude each other");
  }
  if (alphabet.metaspace) parts.normalizer.AddReplace(std::string(kMetaspace), " ");
  BOOST_OUTCOME_TRY(const bool byte_fallback, BoolOr(*model, "byte_fallback", false));
  BOOST_OUTCOME_TRY(parts.bpe.whole_piece_first, BoolOr(*model, "ignore_merges", false));
  parts.bpe.start = alphabet.byte_level ? Bpe::Start::kBytes : Bpe::Start::kCharacters;

  Ids ids;
  BOOST_OUTCOME_TRY(ReadVocab(*model, alphabet, byte_fallback, parts, ids));
  BOOST_OUTCOME_TRY(ReadAdded(root, parts));
  BOOST_OUTCOME_TRY(CheckNames(ids, parts.vocab));
  BOOST_OUTCOME_TRY(parts.vocab.Finish());
  BOOST_OUTCOME_TRY(ReadMerges(*model, ids, parts));
  BOOST_OUTCOME_TRY(const auto unknown, StringOr(*model, "unk_token", ""));
  if (const auto found = ids.find(unknown); found != ids.end()) parts.bpe.unknown = found->second;

  BOOST_OUTCOME_TRY(const auto leading, LeadingSpecial(Member(root, "post_processor")));
  if (!leading.empty()) {
    parts.bos = parts.vocab.FindAdded(leading);
    parts.add_bos = parts.bos != kNoToken;
  }
  if (!files.config.empty()) {
    BOOST_OUTCOME_TRY(const json::value config, Parse(files.config, "tokenizer_config.json", {}));
    ReadConfig(config.get_object(), parts);
  }
  if (!files.generation.empty()) {
    BOOST_OUTCOME_TRY(const auto value, Parse(files.generation, "generation_config.json", {}));
    ReadEnds(value.get_object(), parts);
  }
  if (!files.model_config.empty()) {
    BOOST_OUTCOME_TRY(const auto value, Parse(files.model_config, "config.json", {}));
    ReadEnds(value.get_object(), parts);
  }
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(parts)));
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromFolder(const std::filesystem::path& folder) {
  BOOST_OUTCOME_TRY(const auto tokenizer, ReadFile(folder / "tokenizer.json", true));
  BOOST_OUTCOME_TRY(const auto config, ReadFile(folder / "tokenizer_config.json", false));
  BOOST_OUTCOME_TRY(const auto generation, ReadFile(folder / "generation_config.json", false));
  BOOST_OUTCOME_TRY(const auto model_config, ReadFile(folder / "config.json", false));
  BOOST_OUTCOME_TRY(const auto jinja, ReadFile(folder / "chat_template.jinja", false));
  BOOST_OUTCOME_TRY(auto result, FromJson({tokenizer, config, generation, model_config}));
  if (!jinja.empty()) result->parts_.chat_template = jinja;
  return result;
}

}  // namespace portcullis::inference
