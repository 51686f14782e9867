#include "gateway/infer/model_list.h"

#include <boost/json/array.hpp>

namespace portcullis::gateway {
namespace {

boost::json::object Entry(const ServedModel& model) {
  return {{"id", model.id}, {"object", "model"}, {"created", model.created}, {"owned_by", "portcullis"}};
}

}  // namespace

Result<Answer> ListModels(const Call& call, const Decision& decision) {
  Answer answer;
  boost::json::array data;
  const auto list = call.services.sites.Load();
  const Site* site = list->Find(decision.site());
  for (const ServedModel& model : site ? site->models : std::vector<ServedModel>()) {
    if (call.route->operation == Operation::kModels) {
      data.push_back(Entry(model));
    } else if (model.id == call.argument) {
      answer.document = Entry(model);
      return answer;
    }
  }
  if (call.route->operation == Operation::kModel) {
    return Error{Code::kModelNotFound, "this model is not served here; see GET /v1/models", "model"};
  }
  answer.document = {{"object", "list"}, {"data", std::move(data)}};
  return answer;
}

}  // namespace portcullis::gateway
