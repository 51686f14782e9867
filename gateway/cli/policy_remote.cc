#include "gateway/cli/policy_remote.h"

#include <algorithm>
#include <filesystem>

namespace portcullis::cli {

namespace json = boost::json;
namespace revise = policy::revise;

int64_t NumberIn(const json::object& document, std::string_view name) {
  const json::value* member = document.if_contains(name);
  if (member == nullptr || !member->is_number()) return 0;
  boost::system::error_code error;
  const auto number = member->to_number<int64_t>(error);
  return error ? 0 : number;
}

std::string TextIn(const json::object& document, std::string_view name) {
  const json::value* member = document.if_contains(name);
  return member != nullptr && member->is_string() ? std::string(member->get_string())
                                                  : std::string();
}

std::optional<json::object> PolicyStatus(Context& context, const std::string& socket) {
  RemoteAnswer answer = CallGateway(context, socket, "GET", "/admin/v1/policy", json::value());
  if (!answer.ok) return std::nullopt;
  if (!answer.document.is_object()) {
    Fail(context, kRemote, "the gateway's answer about its policy is not understood");
    return std::nullopt;
  }
  return std::move(answer.document.get_object());
}

std::optional<RemoteRevision> FetchRevision(Context& context, const std::string& socket,
                                            uint64_t number) {
  RemoteAnswer answer =
      CallGateway(context, socket, "GET", "/admin/v1/policy/revisions/" + std::to_string(number),
                  json::value());
  if (!answer.ok) return std::nullopt;
  RemoteRevision revision;
  json::value files;
  if (json::object* about = answer.document.if_object()) {
    if (const json::value* member = about->if_contains("files")) files = *member;
    about->erase("files");
    revision.about = std::move(*about);
  }
  auto content = revise::ContentFromJson(files);
  if (!content) {
    Fail(context, kRemote, "revision " + std::to_string(number) + ": " + content.error().message);
    return std::nullopt;
  }
  revision.content = std::move(content.value());
  const std::string hash = revise::HashText(revise::HashOf(revision.content));
  if (hash != TextIn(revision.about, "content")) {
    Fail(context, kNo,
         "revision " + std::to_string(number) + ": the files have the hash " + hash +
             ", but the gateway says " + TextIn(revision.about, "content"));
    return std::nullopt;
  }
  return revision;
}

std::optional<NamedSet> FindSet(Context& context, const std::string& socket,
                                const std::string& word) {
  NamedSet set;
  set.name = word;
  uint64_t number = 0;
  const bool digits =
      !word.empty() && word.size() < 10 &&
      std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (word == "in-force") {
    const auto status = PolicyStatus(context, socket);
    if (!status) return std::nullopt;
    number = static_cast<uint64_t>(NumberIn(*status, "in_force"));
    set.name = "revision " + std::to_string(number);
  } else if (digits) {
    number = std::stoull(word);
    set.name = "revision " + word;
  }
  if (number > 0) {
    auto revision = FetchRevision(context, socket, number);
    if (!revision) return std::nullopt;
    set.content = std::move(revision->content);
    set.name += ", " + revise::HashText(revise::HashOf(set.content));
  } else {
    auto content = revise::ReadContent(word);
    if (!content) {
      Fail(context, kUsage, content.error().message);
      return std::nullopt;
    }
    set.content = std::move(content.value());
    set.folder = true;
  }
  auto compiled = revise::Compiled::Make(set.content);
  if (!compiled) {
    Fail(context, kNo, set.name + ": " + compiled.error().message);
    return std::nullopt;
  }
  set.compiled = std::move(compiled.value());
  return set;
}

}  // namespace portcullis::cli
