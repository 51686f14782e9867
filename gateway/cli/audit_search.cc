// `portcullis audit search | index`: the records that fit, as lines or JSON, without content; and the search
// index by itself. What the answer rests on goes to standard error: how much of the log the index covers,
// under which signed root, what was read besides. With or without an index the records are the same.
#include <boost/json/serialize.hpp>
#include <iostream>
#include <memory>

#include "audit/count.h"
#include "audit/layout.h"
#include "audit/note.h"
#include "audit/progress.h"
#include "audit/search.h"
#include "certs/secret.h"
#include "gateway/cli/audit_query.h"
#include "gateway/cli/audit_read.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;

struct SearchArguments {
  QueryArguments query;
  bool no_index = false;
  bool rebuild = false;
};

void Warn(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) std::cerr << "warning: " << warning << "\n";
}

void Search(Context& context, const SearchArguments& arguments) {
  const auto key = audit::ReadLogKey(arguments.query.log);
  if (!key) return Fail(context, kUsage, key.error().message);
  const auto query = QueryOf(context, arguments.query);
  if (!query) return;
  audit::Progress progress("search", audit::LogBytes(arguments.query.log));
  audit::SearchOptions options;
  options.log_folder = arguments.query.log;
  options.key = key.value();
  options.query = *query;
  options.limit = arguments.query.limit;
  options.use_index = !arguments.no_index;
  options.progress = progress.Sink();
  const auto outcome = audit::SearchLog(options, [&](const audit::Leaf& leaf, const audit::Hash& hash) {
    progress.Finish();
    if (context.json) std::cout << json::serialize(Summary(leaf, hash)) << "\n";
    else PrintLine(leaf);
  });
  progress.Finish();
  std::cout.flush();
  if (!outcome) return Fail(context, kNo, outcome.error().message);
  const audit::SearchOutcome& said = outcome.value();
  Warn(said.warnings);
  std::cerr << audit::CountedRecords(said.found) << "; ";
  if (said.indexed > 0) {
    std::cerr << "the index covers the first " << audit::CountedRecords(said.indexed) << " under root "
              << audit::Base64(said.indexed_root) << ", " << audit::Counted(said.read, "later one was", "later ones were")
              << " read\n";
  } else {
    std::cerr << "the whole log was read, " << audit::CountedRecords(said.read) << "\n";
  }
  if (said.found == 0) context.exit_code = kNo;
}

void Index(Context& context, const SearchArguments& arguments) {
  const auto key = audit::ReadLogKey(arguments.query.log);
  if (!key) return Fail(context, kUsage, key.error().message);
  audit::Progress progress("index", audit::LogBytes(arguments.query.log));
  std::vector<std::string> warnings;
  const auto cover = audit::RefreshIndex(arguments.query.log, key.value(), arguments.rebuild, progress.Sink(), warnings);
  progress.Finish();
  if (!cover) return Fail(context, kUsage, cover.error().message);
  Warn(warnings);
  const audit::CompactRange& tree = cover.value().tree;
  if (context.json) {
    std::cout << json::serialize(json::object{{"schema", "portcullis.audit.index/1"}, {"records", tree.size()},
                                              {"root", audit::Base64(tree.Root())}, {"rebuilt", !warnings.empty()}})
              << "\n";
  } else {
    std::cerr << "the index covers " << audit::CountedRecords(tree.size()) << " under root " << audit::Base64(tree.Root()) << "\n";
  }
}

}  // namespace

void AddAuditSearch(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<SearchArguments>();
  CLI::App* search = noun.add_subcommand("search", "list the records that fit, without content");
  AddQueryOptions(*search, arguments->query);
  search->add_option("--keys", arguments->query.keys, "on the box: folder of the keys, to search for names");
  search->add_flag("--no-index", arguments->no_index, "read the whole log instead");
  search->callback([&context, arguments] {
    certs::InitSodium();
    Search(context, *arguments);
  });

  CLI::App* index = noun.add_subcommand("index", "bring the search index up to the signed checkpoint");
  index->add_option("--log", arguments->query.log, "folder of the log")->required();
  index->add_flag("--rebuild", arguments->rebuild, "anew from the segments");
  index->callback([&context, arguments] {
    certs::InitSodium();
    Index(context, *arguments);
  });
}

}  // namespace portcullis::cli
