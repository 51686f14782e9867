#include "gateway/infer/site_directory.h"

#include <sodium.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace portcullis::gateway {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

constexpr std::chrono::milliseconds kInterval{2000};
constexpr std::chrono::milliseconds kIntervalDown{250};
constexpr size_t kMaxModels = 256;
constexpr size_t kMaxModelName = 256;  // bytes, as in a call

std::shared_ptr<const SiteList> Initial(const std::vector<SiteConfig>& configs) {
  auto list = std::make_shared<SiteList>();
  for (const SiteConfig& config : configs) list->sites.push_back({config.id, config.socket, false, {}});
  return list;
}

int64_t IntegerOr(const json::object& object, const char* key, int64_t otherwise) {
  const auto* value = object.if_contains(key);
  return value && value->is_int64() ? value->get_int64() : otherwise;
}

ServedModel ReadModel(const json::object& entry, const std::string& id) {
  ServedModel model;
  model.id = id;
  model.created = IntegerOr(entry, "created", 0);
  const auto* details = entry.if_contains("portcullis");
  if (const auto* object = details ? details->if_object() : nullptr) {
    model.context_length = IntegerOr(*object, "context_length", 0);
    const auto* hash = object->if_contains("sha256");
    if (hash && hash->is_string()) {
      const std::string_view hex = hash->get_string();
      size_t size = 0;
      if (sodium_hex2bin(model.sha256.data(), model.sha256.size(), hex.data(), hex.size(), nullptr,
                         &size, nullptr) != 0 || size != model.sha256.size()) {
        model.sha256 = {};
      }
    }
  }
  return model;
}

std::vector<ServedModel> ReadModels(const json::value& document) {
  std::vector<ServedModel> models;
  const auto* root = document.if_object();
  const auto* data = root ? root->if_contains("data") : nullptr;
  const auto* list = data ? data->if_array() : nullptr;
  if (!list) return models;
  for (const auto& item : *list) {
    const auto* entry = item.if_object();
    const auto* id = entry ? entry->if_contains("id") : nullptr;
    if (id && id->is_string() && id->get_string().size() <= kMaxModelName &&
        models.size() < kMaxModels) {
      models.push_back(ReadModel(*entry, std::string(id->get_string())));
    }
  }
  return models;
}

}  // namespace

const Site* SiteList::Find(std::string_view id) const {
  const auto found = std::ranges::find(sites, id, &Site::id);
  return found == sites.end() ? nullptr : &*found;
}

std::vector<std::string> SiteList::Serving(std::string_view model) const {
  std::vector<std::string> up;
  std::vector<std::string> down;
  for (const Site& site : sites) {
    if (std::ranges::find(site.models, model, &ServedModel::id) == site.models.end()) continue;
    (site.up ? up : down).push_back(site.id);
  }
  up.insert(up.end(), down.begin(), down.end());
  return up;
}

const ServedModel* SiteList::FindModel(std::string_view model) const {
  for (const Site& site : sites) {
    const auto found = std::ranges::find(site.models, model, &ServedModel::id);
    if (found != site.models.end()) return &*found;
  }
  return nullptr;
}

bool SiteList::AnyUp() const { return std::ranges::any_of(sites, &Site::up); }

SiteDirectory::SiteDirectory(const std::vector<SiteConfig>& sites) : list_(Initial(sites)) {}

asio::awaitable<void> SiteDirectory::Poll(asio::io_context& core) {
  UpstreamClient client(core);
  asio::steady_timer timer(core);
  while (true) {
    auto next = std::make_shared<SiteList>(*list_.Load());
    for (Site& site : next->sites) {
      site.up = false;
      try {
        auto answer = co_await client.Models(site.socket);
        site.up = answer.has_value();
        if (answer) site.models = ReadModels(answer.value());
      } catch (const std::exception&) {
        // Beast throws on some malformed heads; such a site is down, the others are still asked.
      }
    }
    const bool all_up = std::ranges::all_of(next->sites, &Site::up);
    list_.Store(std::move(next));
    timer.expires_after(all_up ? kInterval : kIntervalDown);
    auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
  }
}

}  // namespace portcullis::gateway
