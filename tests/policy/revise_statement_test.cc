// What an officer signs: one form for each meaning, and a nonce that makes each signature its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/policy/revise_support.h"

namespace portcullis::policy::revise {
namespace {

using testing::HasSubstr;

TEST_F(RevisionTest, TwoEqualActsWithinASecondAreTwoStatements) {
  auto store = OpenSeeded();
  const Content content = RefusingContent();
  const uint64_t number = ProposeOnly(*store, content);
  const auto propose = [&] {
    return store->Propose(Sign(*store, Act::kPropose, number, HashOf(content), "olga"), content);
  };
  ASSERT_TRUE(store->Approve(SignFor(*store, Act::kApprove, number, "paul")));
  ASSERT_TRUE(propose());
  const SignedStatement again = SignFor(*store, Act::kApprove, number, "paul");
  const auto approved = store->Approve(again);
  ASSERT_TRUE(approved) << approved.error().message;
  ASSERT_TRUE(propose());
  EXPECT_THAT(store->Approve(again).error().message, HasSubstr("used already"));
}

TEST_F(RevisionTest, AStatementHasOneFormWithOrWithoutANonce) {
  auto store = OpenSeeded();
  const std::string text = SignFor(*store, Act::kKeep, 1, "paul").text;
  const size_t at = text.find("nonce: ");
  ASSERT_EQ(text.size(), at + 7 + 32 + 1);
  const std::string before = text.substr(0, at);
  const std::string digits = text.substr(at + 7, 32);
  EXPECT_EQ(ParseStatement(text).value().nonce, digits);
  EXPECT_EQ(ToText(ParseStatement(text).value()), text);
  EXPECT_EQ(ParseStatement(before).value().nonce, "") << "as they were signed once";
  EXPECT_EQ(ToText(ParseStatement(before).value()), before);
  for (const std::string& bad :
       {before + "nonce: \n", before + "nonce: " + digits, text + "\n", text + "more: 1\n",
        before + "nonce: " + digits.substr(1) + "\n", before + "nonce: 0" + digits + "\n",
        before + "nonce: " + std::string(32, 'A') + "\n",
        before + "nonce: " + std::string(32, 'g') + "\n"}) {
    EXPECT_FALSE(ParseStatement(bad)) << bad;
  }
}

}  // namespace
}  // namespace portcullis::policy::revise
