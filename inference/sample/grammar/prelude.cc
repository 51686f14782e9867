// JSON (RFC 8259) as rules: what every schema is made of. Strings are well-formed UTF-8 with every
// escape but lone surrogates; numbers are short enough to be exact in a double.
#include "inference/sample/grammar/grammar.h"

namespace portcullis::inference::grammar {
namespace {

StateId Hex(Grammar& g, int count, StateId next) {
  for (; count > 0; --count) next = g.Bytes({{'0', '9', next}, {'A', 'F', next}, {'a', 'f', next}});
  return next;
}

// One character between the quotes of a string, but for the quote.
std::vector<Edge> Characters(Grammar& g, StateId next) {
  const StateId tail1 = g.Range(0x80, 0xBF, next);
  const StateId tail2 = g.Range(0x80, 0xBF, tail1);
  const StateId tail3 = g.Range(0x80, 0xBF, tail2);
  const StateId hex2 = Hex(g, 2, next);
  const StateId hex3 = Hex(g, 1, hex2);
  const StateId low_nibble = g.Bytes({{'C', 'F', hex2}, {'c', 'f', hex2}});
  const StateId low = g.Literal("\\u", g.Bytes({{'D', 'D', low_nibble}, {'d', 'd', low_nibble}}));
  const StateId pair = Hex(g, 2, low);
  const StateId surrogate = g.Bytes({{'0', '7', hex2}, {'8', '9', pair}, {'A', 'B', pair}, {'a', 'b', pair}});
  const StateId unicode = g.Bytes({{'0', '9', hex3},
                                   {'A', 'C', hex3},
                                   {'E', 'F', hex3},
                                   {'a', 'c', hex3},
                                   {'e', 'f', hex3},
                                   {'D', 'D', surrogate},
                                   {'d', 'd', surrogate}});
  const StateId escape = g.Bytes({{'"', '"', next},
                                  {'\\', '\\', next},
                                  {'/', '/', next},
                                  {'b', 'b', next},
                                  {'f', 'f', next},
                                  {'n', 'n', next},
                                  {'r', 'r', next},
                                  {'t', 't', next},
                                  {'u', 'u', unicode}});
  return {{0x20, 0x21, next},
          {0x23, 0x5B, next},
          {0x5D, 0x7F, next},
          {'\\', '\\', escape},
          {0xC2, 0xDF, tail1},
          {0xE0, 0xE0, g.Range(0xA0, 0xBF, tail1)},
          {0xE1, 0xEC, tail2},
          {0xED, 0xED, g.Range(0x80, 0x9F, tail1)},
          {0xEE, 0xEF, tail2},
          {0xF0, 0xF0, g.Range(0x90, 0xBF, tail2)},
          {0xF1, 0xF3, tail3},
          {0xF4, 0xF4, g.Range(0x80, 0x8F, tail2)}};
}

// Up to `count` more digits.
StateId Digits(Grammar& g, int count, StateId next) {
  StateId state = next;
  for (; count > 0; --count) state = g.Split({next, g.Range('0', '9', state)});
  return state;
}

StateId Integer(Grammar& g, StateId next) {
  const StateId digits = Digits(g, 14, next);
  const StateId whole = g.Bytes({{'0', '0', next}, {'1', '9', digits}});
  return g.Split({whole, g.Literal("-", whole)});
}

StateId Number(Grammar& g, StateId next) {
  const StateId power = g.Range('0', '9', Digits(g, 1, next));
  const StateId sign = g.Split({power, g.Bytes({{'+', '+', power}, {'-', '-', power}})});
  const StateId exponent = g.Split({next, g.Bytes({{'E', 'E', sign}, {'e', 'e', sign}})});
  const StateId fraction = g.Literal(".", g.Range('0', '9', Digits(g, 14, exponent)));
  return Integer(g, g.Split({exponent, fraction}));
}

// open … element (, element)* … close, any number of times. White space stands where printers put it:
// behind the opening, behind commas and colons, before the closing.
StateId Sequence(Grammar& g, char open, char close, StateId rule, bool keyed, StateId next) {
  const auto element = [&](StateId after) {
    const StateId value = g.Call(rule, after);
    if (!keyed) return value;
    return g.Call(g.string_rule, g.Literal(":", g.Split({value, g.Literal(" ", value)})));
  };
  const StateId end = g.Range(static_cast<uint8_t>(close), static_cast<uint8_t>(close), next);
  const StateId more = g.Forward();
  const StateId start = element(more);
  g.FillSplit(more, {g.Space(end), g.Literal(",", g.Space(start))});
  const StateId first = g.Split({end, start});
  return g.Range(static_cast<uint8_t>(open), static_cast<uint8_t>(open), g.Space(first));
}

}  // namespace

void Grammar::BuildPrelude() {
  StateId indent = kReturn;
  for (int i = 0; i < 20; ++i) indent = Split({kReturn, Bytes({{' ', ' ', indent}, {'\t', '\t', indent}})});
  space_rule = Split({kReturn, Literal(" ", kReturn), Literal("\n", indent)});

  const StateId head = Forward();
  const StateId counted = Count(head);
  const StateId body = Forward();
  FillBytes(body, Characters(*this, counted));
  FillHead(head, body, Literal("\"", kReturn));
  string_rule = Literal("\"", head);

  integer_rule = Integer(*this, kReturn);
  number_rule = Number(*this, kReturn);
  value_rule = Forward();
  object_rule = Sequence(*this, '{', '}', value_rule, true, kReturn);
  array_rule = Sequence(*this, '[', ']', value_rule, false, kReturn);
  FillSplit(value_rule,
            {Call(object_rule, kReturn), Call(array_rule, kReturn), Call(string_rule, kReturn),
             Call(number_rule, kReturn), Literal("true", kReturn), Literal("false", kReturn),
             Literal("null", kReturn)});
}

}  // namespace portcullis::inference::grammar
