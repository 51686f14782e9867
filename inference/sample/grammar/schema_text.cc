// Texts: patterns, formats and excluded values become automata, which are combined and counted.
#include "inference/sample/grammar/formats.h"
#include "inference/sample/grammar/pattern.h"
#include "inference/sample/grammar/regex_parse.h"
#include "inference/sample/grammar/schema_compiler.h"

namespace portcullis::inference::grammar {

namespace json = boost::json;

// What the leaf's format asks of a text; none: nothing. `pattern` is what stands beside it, or null.
Result<std::optional<Automaton>> SchemaCompiler::Formatted(const Leaf& leaf, const Automaton* pattern) const {
  const json::value* format = Find(*leaf.schema, "format");
  if (format == nullptr || !format->is_string()) return std::nullopt;
  const std::string_view name = format->get_string();
  if (IsNumberFormat(name) || IsIgnoredFormat(name)) return std::nullopt;
  const std::string_view text = FormatPattern(name);
  if (text.empty()) {
    if (pattern != nullptr) return std::nullopt;  // its own words for what the name only hints at
    return At(leaf.path + "/format", "this format cannot be enforced");
  }
  BOOST_OUTCOME_TRY(Automaton automaton, ParsePattern(text, effort_));
  const std::string_view local = LocalFormatPattern(name);
  if (pattern == nullptr || local.empty()) return automaton;
  const Automaton parts[] = {*pattern, automaton};
  BOOST_OUTCOME_TRY(const Automaton both, Combine(parts, {}, effort_));
  if (!TakesNothing(both)) return automaton;
  BOOST_OUTCOME_TRY(automaton, ParsePattern(local, effort_));
  return automaton;
}

Result<StateId> SchemaCompiler::Text(const Alternative& leaves, StateId next) {
  BOOST_OUTCOME_TRY(const Counter length, Limits(leaves, "minLength", "maxLength"));
  if (length.left < length.need) return g_.Split({});
  std::vector<Automaton> all, none;
  size_t nodes = 0;
  std::string where;
  for (const Leaf& leaf : leaves) {
    const bool negated = !leaf.negated.empty();
    std::vector<std::string> texts;
    for (const json::value& value : ExcludedBy(leaf)) {
      if (value.is_string()) texts.emplace_back(value.get_string());
    }
    if (!texts.empty()) {
      auto excluded = TextsOf(texts, effort_);
      if (!excluded) return At(leaf.path, excluded.error().message);
      none.push_back(std::move(excluded).value());
    }
    const json::value* pattern = Find(*leaf.schema, "pattern");
    const bool patterned = pattern != nullptr && (!negated || leaf.negated == "pattern");
    if (patterned) {
      where = leaf.path + "/pattern";
      if (!pattern->is_string()) return At(where, "it must be a string");
      auto automaton = ParsePattern(pattern->get_string(), effort_);
      if (!automaton) return At(where, automaton.error().message);
      nodes += automaton.value().nodes.size();
      if (nodes > kMostPatternNodes) return At(where, kPatternsTooLarge);
      (negated ? none : all).push_back(std::move(automaton).value());
    }
    if (negated) continue;
    BOOST_OUTCOME_TRY(auto format, Formatted(leaf, patterned ? &all.back() : nullptr));
    if (!format) continue;
    where = leaf.path + "/format";
    all.push_back(std::move(*format));
  }
  if (all.empty() && none.empty()) return g_.Call(g_.string_rule, next, length);
  if (where.empty()) where = leaves.front().path;
  auto combined = Combine(all, none, effort_);
  if (!combined) return At(where, combined.error().message);
  auto state = PatternString(g_, combined.value(), length, next);
  if (!state) return At(where, state.error().message);
  return state;
}

}  // namespace portcullis::inference::grammar
