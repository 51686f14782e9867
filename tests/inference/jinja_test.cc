// The template interpreter against hostile templates and large conversations: what a rendering
// costs is bounded in steps and bytes, no value holds itself, joining is linear.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/tokenizer/jinja/evaluate.h"
#include "inference/tokenizer/template.h"
#include "tests/inference/serve_helpers.h"

namespace portcullis::inference::jinja {
namespace {

struct Rendering {
  std::string text;  // "refused: …" where it is
  std::string marks;
  Meter meter;
};

Rendering Render(std::string_view source, const Dict& variables = {}) {
  Rendering out;
  const auto program = Parse(source);
  if (!program) {
    out.text = "does not parse: " + program.error().message;
    return out;
  }
  auto text = Run(*program.value(), variables, 0, out.meter);
  out.text = text ? text.value().bytes : "refused: " + text.error().message;
  if (text) out.marks = text.value().marks;
  EXPECT_LE(out.meter.steps(), Meter::kMaxSteps);
  EXPECT_LE(out.meter.bytes(), Meter::kMaxBytes);
  return out;
}

Dict Given(std::string_view name, Value value) {
  Dict variables;
  variables.Set(Text(name, false), std::move(value));
  return variables;
}

Dict Messages(size_t count, size_t bytes, std::string_view role) {
  List list;
  for (size_t i = 0; i < count; ++i) {
    Dict message;
    message.Set(Text("role", false), Value::Of(Text(role, false)));
    message.Set(Text("content", false), Value::Of(Text(std::string(bytes, 'x'), true)));
    list.push_back(Value::Of(std::move(message)));
  }
  return Given("messages", Value::Of(std::move(list)));
}

TEST(Jinja, NoValueHoldsItself) {
  const char* kOwnMember = "{% set n = namespace() %}{% set n.a = n %}{{ n == n }}";
  EXPECT_THAT(Render(kOwnMember).text, testing::HasSubstr("cannot hold a namespace"));
  EXPECT_THAT(Render("{% set n = namespace() %}{% set n.a = [{'b': n}] %}").text,
              testing::HasSubstr("cannot hold a namespace"));
  EXPECT_THAT(Render("{% set n = namespace() %}{% set m = namespace(a=n) %}").text,
              testing::HasSubstr("cannot hold a namespace"));
  EXPECT_THAT(Render("{% set l = [] %}{% set x = l.append(l) %}{{ l == l }}").text,
              testing::HasSubstr("hold itself"));
  EXPECT_THAT(Render("{% set l = [] %}{% set n = namespace(l=l) %}{% set x = l.append(n) %}").text,
              testing::HasSubstr("hold itself"));
  // l is in m, so that m would come into itself through l.
  EXPECT_THAT(Render("{% set l = [] %}{% set m = [l] %}{% set x = l.append(m) %}").text,
              testing::HasSubstr("part of another value"));
  EXPECT_THAT(Render("{% set l = [] %}{% set x = l.append(l.append) %}{{ l|length }}").text,
              testing::StrEq("1"));
}

TEST(Jinja, AListGrowsWhileVariablesAndNamespacesHoldIt) {
  EXPECT_EQ(Render("{% set l = [] %}{% set n = namespace(l=l) %}{% for i in range(3) %}"
                   "{% set x = n.l.append(i) %}{% endfor %}{{ l|join(',') }}")
                .text,
            "0,1,2");
  EXPECT_EQ(Render("{% set l = [1] %}{% for i in l %}{% set x = l.append(i) %}{% endfor %}"
                   "{{ l|length }}")
                .text,
            "2");
}

TEST(Jinja, OnlyNamespacesHaveMembersToSet) {
  EXPECT_THAT(Render("{% set m.role = 'x' %}", Given("m", Value::Of(Dict{}))).text,
              testing::HasSubstr("only a namespace"));
}

TEST(Jinja, SharedPartsAreNotWalkedEndlessly) {
  // A list of two equal lists of two equal lists …: 2^60 elements when written out.
  std::string tower = "{% set l = [1, 2] %}";
  for (int i = 0; i < 60; ++i) tower += "{% set l = [l, l] %}";
  EXPECT_THAT(Render(tower + "{{ l|tojson }}").text, testing::HasSubstr("too many steps"));
  EXPECT_THAT(Render(tower + "{{ l|tojson(indent=16) }}").text,
              testing::HasSubstr("more than 128 MiB"));
  EXPECT_THAT(Render(tower + "{{ l ~ '' }}").text, testing::HasSubstr("too many steps"));
  EXPECT_THAT(Render(tower + "{% set a = l %}{% set l = [1, 2] %}" + tower + "{{ a == l }}").text,
              testing::HasSubstr("too many steps"));
}

TEST(Jinja, ValuesAreNotNestedTooDeeply) {
  const std::string deep =
      "{% set n = namespace(l=[]) %}{% for i in range(100000) %}{% set n.l = [n.l] %}{% endfor %}";
  EXPECT_THAT(Render(deep).text, testing::HasSubstr("nested too deeply"));
}

TEST(Jinja, DoublingEndsAtTheLimitOfBytes) {
  const std::string loop = "{% set n = namespace(s='ab', l=[1]) %}{% for i in range(60) %}";
  for (const char* body :
       {"{% set n.s = n.s ~ n.s %}", "{% set n.s = n.s + n.s %}",
        "{% set n.s = n.s|replace('b', n.s) %}", "{% set n.s = [n.s, n.s]|join %}",
        "{% set n.l = n.l + n.l %}", "{% set n.s = n.s.replace('a', n.s) %}",
        "{% set n.s %}{{ n.s }}{{ n.s }}{% endset %}"}) {
    const Rendering made = Render(loop + body + "{% endfor %}");
    EXPECT_THAT(made.text, testing::ContainsRegex("more than (128|32) MiB")) << body;
  }
  EXPECT_THAT(Render("{% set n = namespace(s='a\n') %}{% for i in range(60) %}"
                     "{% set n.s = (n.s + n.s)|indent(64) %}{% endfor %}")
                  .text,
              testing::HasSubstr("more than 128 MiB"));
}

TEST(Jinja, ReadingIsPaidFor) {
  const Dict large = Given("s", Value::Of(Text(std::string(1 << 20, 'x'), true)));
  for (const char* body :
       {"'y' in s", "s|length", "s.find('y')", "s.split('y')", "s|trim", "s[-1]", "s|last",
        "s.split()", "s == s ~ ''", "s[1:]", "s|upper", "s.strip('x')"}) {
    const std::string once = std::string("{% set x = ") + body + " %}";
    const Rendering made = Render(once, large);
    EXPECT_EQ(made.text, "") << body;
    EXPECT_GE(made.meter.steps(), (1u << 20) / Meter::kBytesPerStep) << body;
  }
  EXPECT_THAT(Render("{% for i in range(1000000) %}{% set x = 'y' in s %}{% endfor %}", large).text,
              testing::HasSubstr("too many steps"));
}

// "a0=0,a1=0,…"
std::string Named(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += (i == 0 ? "a" : ",a") + std::to_string(i) + "=0";
  return out;
}

TEST(Jinja, LookingForNamesIsPaidFor) {
  const std::string key(1 << 20, 'x');
  Dict given = Given("s", Value::Of(Text(key, true)));
  Dict inner;
  inner.Set(Text(key, true), Value::Of(int64_t{1}));
  given.Set(Text("d", false), Value::Of(std::move(inner)));
  for (const char* body : {"s in d", "d[s]", "d.get(s)"}) {
    const Rendering made = Render(std::string("{% set x = ") + body + " %}", given);
    EXPECT_EQ(made.text, "") << body;
    EXPECT_GE(made.meter.steps(), key.size() / Meter::kBytesPerStep) << body;
  }
  constexpr int kNames = 1000;
  std::string parameters = "a0";
  for (int i = 1; i < kNames; ++i) parameters += ",a" + std::to_string(i);
  for (const std::string& source :
       {"{% set x = dict(" + Named(kNames) + ") %}", "{% set x = namespace(" + Named(kNames) + ") %}",
        "{% macro f(" + parameters + ") %}{% endmacro %}{{ f(" + Named(kNames) + ") }}"}) {
    const Rendering made = Render(source);
    EXPECT_EQ(made.text, "");
    EXPECT_GE(made.meter.steps(), uint64_t{kNames} * kNames / 2 / 16 - kNames) << source.substr(0, 20);
  }
}

TEST(Jinja, AFormatOfTimeIsShort) {
  EXPECT_EQ(Render("{{ strftime_now('%Y-%m-%d') }}").text, "1970-01-01");
  EXPECT_THAT(Render("{{ strftime_now(s) }}", Given("s", Value::Of(Text(std::string(1 << 20, '%'), true)))).text,
              testing::HasSubstr("above 100 bytes"));
}

TEST(Jinja, SortingIsPaidForBeforeItBegins) {
  const std::string many =
      "{% set l = [] %}{% for i in range(20000) %}{% set x = l.append(s) %}{% endfor %}";
  const Dict large = Given("s", Value::Of(Text(std::string(1 << 20, 'x'), true)));
  EXPECT_THAT(Render(many + "{{ l|sort|length }}", large).text,
              testing::HasSubstr("too many steps"));
  EXPECT_EQ(Render("{{ [3, 1, 2]|sort|join(',') }} {{ ['b', 'a']|sort(reverse=true)|join }} "
                   "{{ {'b': 1, 'a': 2}|dictsort }}")
                .text,
            "1,2,3 ba [[\"a\", 2], [\"b\", 1]]");
}

TEST(Jinja, JoiningInALoopIsLinear) {
  const std::string source =
      "{% set ns = namespace(s='') %}{% for m in messages %}"
      "{% set ns.s = ns.s + '\n\n' + m['content'] %}{% endfor %}{{ ns.s }}";
  constexpr size_t kBytes = 1000;
  for (const size_t count : {size_t{256}, size_t{4096}}) {
    const Rendering made = Render(source, Messages(count, kBytes, "system"));
    const size_t written = count * (kBytes + 2);
    ASSERT_EQ(made.text.size(), written);
    EXPECT_EQ(made.marks.substr(0, 4), std::string("\0\0\1\1", 4));
    EXPECT_LE(made.meter.bytes(), 5 * written);  // once to join, once to write; bytes and marks
    EXPECT_LE(made.meter.steps(), count * 40 + written / 8);
  }
}

TEST(Jinja, ManySystemMessagesOfR1) {
  constexpr size_t kCount = 4096, kBytes = 950;
  const auto tokenizer = TestTokenizer(kR1Template);
  const auto chat = ChatTemplate::Recognise(*tokenizer);
  ASSERT_TRUE(chat.has_value());
  const std::vector<ChatMessage> messages(kCount, {MessageRole::kSystem, std::string(kBytes, 'x')});
  const auto prompt = chat.value().Render(*tokenizer, messages, {});
  ASSERT_TRUE(prompt.has_value()) << prompt.error().message;
  EXPECT_GT(prompt.value().tokens.size(), kCount * kBytes / 2);
  Dict variables = Messages(kCount, kBytes, "system");
  variables.Set(Text("bos_token", false), Value::Of(Text("<", false)));
  EXPECT_LE(Render(kR1Template, variables).meter.bytes(), 6 * kCount * kBytes);
}

TEST(Jinja, WhatWasJoinedToStaysAsItWas) {
  EXPECT_EQ(Render("{% set a = 'x' ~ 'y' %}{% set b = a ~ '1' %}{% set c = a ~ '2' %}"
                   "{% set d = b ~ b %}{{ a }} {{ b }} {{ c }} {{ d }} {{ b ~ a }}")
                .text,
            "xy xy1 xy2 xy1xy1 xy1xy");
  // Constants of a template serve many renderings.
  const auto program = Parse("{% set a = 'x' %}{% set a = a ~ 'y' %}{{ a }}");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(jinja::Run(*program.value(), {}, 0).value().bytes, "xy");
}

TEST(Jinja, OffsetsCountCharacters) {
  const Dict text = Given("c", Value::Of(Text("äöü</think>x€y", true)));
  EXPECT_EQ(Render("{{ c.find('</think>') }}", text).text, "3");
  EXPECT_EQ(Render("{{ c[c.find('</think>'):] }}", text).text, "</think>x€y");
  EXPECT_EQ(Render("{{ c.find('nowhere') }}", text).text, "-1");
  EXPECT_EQ(Render("{{ c[0] }}{{ c[-2] }}{{ c[2] }}{{ c[14] }}{{ c[-15] }}", text).text, "ä€ü");
  EXPECT_EQ(Render("{{ c[1:3] }}|{{ c[-3:] }}|{{ c[5:2] }}|{{ c[99:] }}", text).text, "öü|x€y||");
  EXPECT_EQ(Render("{{ c[::-1] }}|{{ c[:3][::2] }}|{{ c|length }}", text).text,
            "y€x>kniht/<üöä|äü|14");
  EXPECT_EQ(Render("{{ c|first }}{{ c|last }}", text).text, "äy");
}

TEST(Jinja, OneCharacterOfALargeTextIsCheap) {
  const Dict large = Given("s", Value::Of(Text(std::string(4 << 20, 'x'), true)));
  EXPECT_LE(Render("{{ s[0] }}{{ s|first }}", large).meter.steps(), 20u);
  EXPECT_LE(Render("{{ s[-1] }}{{ s[1:] == '' }}", large).meter.bytes(), 100u);
}

TEST(Jinja, EndsOfTheNumbers) {
  const Dict least = Given("n", Value::Of(std::numeric_limits<int64_t>::min()));
  EXPECT_EQ(Render("{{ -n }} {{ n|abs }}", least).text,
            "9223372036854775808.0 9223372036854775808.0");
  EXPECT_EQ(
      Render("{{ [1, 2][n] is defined }} {{ 'ab'[n] is defined }} {{ [1, 2][::n] }}", least).text,
      "False False [2]");
  const Dict nan = Given("n", Value(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(Render("{{ range(n)|length }}{{ 'a\nb'|indent(n) }}", nan).text, "0a\nb");
  EXPECT_THAT(Render("{{ 9223372036854775808 }}").text, testing::HasSubstr("too large"));
}

TEST(Jinja, MethodsBelongToWhereTheyAreNamed) {
  const Dict text = Given("c", Value::Of(Text("ab", true)));
  EXPECT_EQ(
      Render("{{ c.upper is defined }} {{ c.upper() }} {{ c.nothing is defined }}", text).text,
      "True AB False");
  EXPECT_THAT(Render("{% set f = c.upper %}{{ f() }}", text).text,
              testing::HasSubstr("no function"));
  EXPECT_EQ(
      Render("{% macro f(a, b='y') %}{{ a ~ b ~ c }}{% endmacro %}{{ f(1) }}{{ f(b=2) }}", text)
          .text,
      "1yab2ab");
}

}  // namespace
}  // namespace portcullis::inference::jinja
