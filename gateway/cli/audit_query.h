// What `portcullis audit search` and `export` have in common: the options that say which records, and the
// query that they become. Names are searched by their blind tags, which only the holder of the key store
// can make.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "audit/query.h"
#include "gateway/cli/audit_read.h"
#include "gateway/cli/command.h"

namespace portcullis::cli {

struct QueryArguments {
  std::string log, keys, request, policy;
  PeriodArguments period;
  std::vector<std::string> kinds, users, tenants, tags;
  std::optional<uint16_t> outcome;
  std::optional<uint64_t> parent;
  uint64_t limit = 0;
};

// All but --log's meaning and --keys, which the command brings itself.
void AddQueryOptions(CLI::App& command, QueryArguments& arguments);
// Nothing after a failure, which it reports.
std::optional<audit::Query> QueryOf(Context& context, const QueryArguments& arguments);

}  // namespace portcullis::cli
