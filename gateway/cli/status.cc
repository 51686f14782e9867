// portcullis status: what the running gateway says of itself.
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <memory>

#include "gateway/cli/remote.h"

namespace portcullis::cli {
namespace {

std::string Text(const boost::json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : boost::json::serialize(value);
}

void Print(const boost::json::object& status) {
  std::printf("version   %s\npolicy    %s\naudit     %s\n", Text(status.at("version")).c_str(),
              Text(status.at("policy_revision")).c_str(), Text(status.at("audit")).c_str());
  for (const auto& item : status.at("sites").as_array()) {
    const auto& site = item.as_object();
    std::string models;
    for (const auto& model : site.at("models").as_array()) models += " " + Text(model);
    std::printf("site      %s: %s,%s\n", Text(site.at("id")).c_str(),
                site.at("up").as_bool() ? "up" : "down", models.empty() ? " no model" : models.c_str());
  }
  const auto& queue = status.at("queue").as_object();
  std::printf("queue     %s running, %s waiting\nstreams   %s\n", Text(queue.at("running")).c_str(),
              Text(queue.at("waiting")).c_str(), Text(status.at("streams")).c_str());
}

}  // namespace

void AddStatus(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("status", "what the running gateway says of itself");
  auto socket = std::make_shared<std::string>();
  AddSocketOption(*command, *socket);
  command->callback([&context, socket] {
    const RemoteAnswer answer =
        CallGateway(context, *socket, "GET", "/admin/v1/status", boost::json::value());
    if (!answer.ok) return;
    if (context.json) std::printf("%s\n", boost::json::serialize(answer.document).c_str());
    else Print(answer.document.as_object());
  });
}

}  // namespace portcullis::cli
