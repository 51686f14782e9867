// Which inference sites there are, whether they answer and which models they serve: asked every
// two seconds by one coroutine, published as a snapshot. A caller names a model, never a site.
// Threading: Load() from any core; Poll() runs on one. A site that does not answer keeps its last
// known models but is marked down, so that the answer is "unavailable", not "no such model".
#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "gateway/config.h"
#include "gateway/infer/upstream.h"
#include "gateway/state/snapshot.h"

namespace portcullis::gateway {

struct ServedModel {
  std::string id;
  std::array<uint8_t, 32> sha256{};  // of the weights; zero when the site does not say
  int64_t context_length = 0;        // tokens; 0 when the site does not say
  int64_t created = 0;               // seconds since 1970
};

struct Site {
  std::string id;
  std::filesystem::path socket;
  bool up = false;
  std::vector<ServedModel> models;
};

struct SiteList {
  std::vector<Site> sites;  // in order of preference

  const Site* Find(std::string_view id) const;
  // Sites that serve the model, those that are up first.
  std::vector<std::string> Serving(std::string_view model) const;
  const ServedModel* FindModel(std::string_view model) const;
  bool AnyUp() const;
};

class SiteDirectory {
 public:
  explicit SiteDirectory(const std::vector<SiteConfig>& sites);

  std::shared_ptr<const SiteList> Load() const { return list_.Load(); }
  // Runs until Stop(); spawn it on one core.
  boost::asio::awaitable<void> Poll(boost::asio::io_context& core);

 private:
  Snapshot<SiteList> list_;
};

}  // namespace portcullis::gateway
