// What a command prints for programs: one document, whose schema no reply of another program replaces.

#include <gtest/gtest.h>

#include "gateway/cli/answer.h"

namespace portcullis::cli::test {
namespace {

TEST(AnswerTest, AReplyDoesNotNameTheSchema) {
  ::testing::internal::CaptureStdout();
  PrintJson("portcullis.audit.erase/1", ReplyOf(R"({"schema":"another/9","records":2})"));
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "{\"schema\":\"portcullis.audit.erase/1\",\"records\":2}\n");
}

TEST(AnswerTest, WhatIsNoObjectIsAnEmptyReply) {
  for (const char* text : {"", "[1]", "7", "{\"records\":"}) EXPECT_TRUE(ReplyOf(text).empty()) << text;
}

}  // namespace
}  // namespace portcullis::cli::test
