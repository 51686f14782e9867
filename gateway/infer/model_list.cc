#include "gateway/infer/model_list.h"

#include <boost/json/array.hpp>
#include <set>
#include <string_view>

namespace portcullis::gateway {
namespace {

boost::json::object Entry(const ServedModel& model) {
  return {{"id", model.id}, {"object", "model"}, {"created", model.created}, {"owned_by", "portcullis"}};
}

}  // namespace

Result<Answer> ListModels(const Call& call, const Decision& decision) {
  Answer answer;
  boost::json::array data;
  std::set<std::string_view> seen;  // several sites may serve one model
  const auto list = call.services.sites.Load();
  for (const std::string& id : decision.sites()) {
    const Site* site = list->Find(id);
    if (!site) continue;
    for (const ServedModel& model : site->models) {
      if (call.route->operation == Operation::kModel && model.id == call.argument) {
        answer.document = Entry(model);
        return answer;
      }
      if (seen.insert(model.id).second) data.push_back(Entry(model));
    }
  }
  if (call.route->operation == Operation::kModel) {
    return Error{Code::kModelNotFound, "this model is not served here; see GET /v1/models", "model"};
  }
  answer.document = {{"object", "list"}, {"data", std::move(data)}};
  return answer;
}

}  // namespace portcullis::gateway
