// What the commands about revisions share: reading the revision store through a running gateway,
// and finding a policy set by the words of the command line (a number, a folder, `in-force`).
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <optional>
#include <string>

#include "gateway/cli/remote.h"
#include "policy/revise/compiled.h"

namespace portcullis::cli {

// GET /admin/v1/policy; nothing after Fail().
std::optional<boost::json::object> PolicyStatus(Context& context, const std::string& socket);

struct RemoteRevision {
  boost::json::object about;  // number, phase, content, author …
  policy::revise::Content content;
};
// The revision with its files, whose hash has been worked out here and not believed.
std::optional<RemoteRevision> FetchRevision(Context& context, const std::string& socket,
                                            uint64_t number);

struct NamedSet {
  std::string name;  // "revision 7, sha256:…", or the folder
  policy::revise::Content content;
  std::shared_ptr<const policy::revise::Compiled> compiled;
  bool folder = false;
};
// `word`: a revision's number, `in-force`, or a folder, whose sites are joined with the facts of
// the gateway's configuration where a gateway is asked anyway.
std::optional<NamedSet> FindSet(Context& context, const std::string& socket,
                                const std::string& word);

// A number of the document; 0 when it is missing.
int64_t NumberIn(const boost::json::object& document, std::string_view name);
std::string TextIn(const boost::json::object& document, std::string_view name);

}  // namespace portcullis::cli
