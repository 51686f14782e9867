// What a revision consists of: policies, schema, entities, the facts that the appliance's
// configuration adds (sites, jurisdictions) and the tests. All of it is hashed: who approves a hash
// has approved every byte of it. Documents are the canonical bytes of FORMAT.md.
// Plain values, any thread. Failure: kTooLarge, kFile, kJson, kEntity, kRevisionDamaged.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/revise/bytes.h"

namespace portcullis::policy::revise {

inline constexpr size_t kMaxContentBytes = 4u << 20;  // of the whole document
inline constexpr size_t kMaxContentFiles = 256;       // of each kind
inline constexpr size_t kMaxFileName = 128;

struct TextFile {
  std::string name;  // "policy.cedar": letters, digits, '.', '-', '_' and '/'
  std::string text;

  bool operator==(const TextFile&) const = default;
};

struct Content {
  std::vector<TextFile> policies;  // sorted by name; ids policy0 … run over them in this order
  std::string schema;              // Cedar's schema syntax
  std::string entities;            // Cedar's JSON form
  std::string facts;               // entities in the same form, from the configuration
  std::vector<TextFile> tests;     // *.test and *.json, sorted by name

  bool operator==(const Content&) const = default;
};

// The canonical bytes; what HashOf hashes and the store keeps.
std::string Encode(const Content& content);
Result<Content> DecodeContent(std::string_view document);
Hash HashOf(const Content& content);

// Names, order, sizes; Encode and Decode agree on everything that passes.
Result<void> CheckForm(const Content& content);

// DIR/*.cedar, DIR/schema.cedarschema, DIR/entities.json, DIR/tests/*. `facts` is set by the
// caller.
Result<Content> ReadContent(const std::filesystem::path& dir);

// Several sets as one: policies and tests are named by their set, schemas must be the same text, an
// entity that several sets define must have the same attributes, and its parents are joined.
// Parts without a name keep their file names.
struct NamedContent {
  std::string name;
  Content content;
};
Result<Content> Combine(std::span<const NamedContent> sets);

// One entity document out of two, by the rule of Combine. `what` is named in errors.
Result<std::string> JoinEntities(std::string_view first, std::string_view second,
                                 std::string_view what);

// {"policies":[{"name","text"}],"schema","entities","facts","tests":[{"name","text"}]}, for the
// console and the command line; the order of files does not matter on the way in.
boost::json::object ToJson(const Content& content);
Result<Content> ContentFromJson(const boost::json::value& value);

}  // namespace portcullis::policy::revise
