#include "inference/serve/embedding.h"

#include <algorithm>
#include <bit>
#include <boost/json/array.hpp>
#include <cmath>
#include <utility>

#include "inference/serve/prepare.h"

namespace portcullis::inference {
namespace {

namespace json = boost::json;

constexpr auto kLongTime = std::chrono::hours(1);

void Normalise(std::vector<float>& vector) {
  double square = 0;
  for (const float x : vector) square += static_cast<double>(x) * x;
  if (square <= 0) return;
  const double scale = 1 / std::sqrt(square);
  for (float& x : vector) x = static_cast<float>(x * scale);
}

std::string Base64(const std::vector<float>& vector) {
  static_assert(std::endian::native == std::endian::little);
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto* bytes = reinterpret_cast<const unsigned char*>(vector.data());
  const size_t size = vector.size() * sizeof(float);
  std::string out;
  for (size_t i = 0; i < size; i += 3) {
    const size_t rest = std::min<size_t>(3, size - i);
    uint32_t word = 0;
    for (size_t k = 0; k < 3; ++k) word = (word << 8) | (k < rest ? bytes[i + k] : 0u);
    for (size_t k = 0; k < 4; ++k) out += k <= rest ? kDigits[(word >> (18 - 6 * k)) & 63] : '=';
  }
  return out;
}

json::object Body(const Engine& engine, const EmbedCall& call,
                  std::vector<std::vector<float>>& vectors, int64_t tokens) {
  json::array data;
  for (size_t i = 0; i < vectors.size(); ++i) {
    Normalise(vectors[i]);
    json::object item{{"object", "embedding"}, {"index", i}};
    if (call.base64) {
      item["embedding"] = Base64(vectors[i]);
    } else {
      item["embedding"] = json::array(vectors[i].begin(), vectors[i].end());
    }
    data.push_back(std::move(item));
  }
  json::object body{{"object", "list"}, {"data", std::move(data)}, {"model", engine.name()}};
  body["usage"] = json::object{{"prompt_tokens", tokens}, {"total_tokens", tokens}};
  return body;
}

}  // namespace

ApiResult<PreparedEmbedding> PrepareEmbedding(const Engine& engine, const EmbedCall& call,
                                              const Caller& caller) {
  if (call.dimensions > 0 && call.dimensions != engine.info().hidden_size) {
    return BadField("dimensions",
                    "this model's vectors have " + std::to_string(engine.info().hidden_size) +
                        " dimensions; it was not trained for others",
                    "unsupported_value");
  }
  PreparedEmbedding out;
  for (const TextInput& input : call.inputs) {
    EmbedRequest request;
    static_cast<Caller&>(request) = caller;
    BOOST_OUTCOME_TRY(request.tokens, InputTokens(engine, input, "input"));
    if (request.tokens.empty()) return BadField("input", "an input is empty");
    if (static_cast<int64_t>(request.tokens.size()) > engine.context_length()) {
      return ApiError{400,
                      "an input has " + std::to_string(request.tokens.size()) +
                          " tokens; this model's context is " + std::to_string(engine.context_length()),
                      "input", "context_length_exceeded"};
    }
    request.mean = call.mean;
    out.tokens += static_cast<int64_t>(request.tokens.size());
    out.requests.push_back(std::move(request));
  }
  return out;
}

boost::asio::awaitable<Outcome> AnswerEmbedding(std::shared_ptr<Connection> connection,
                                                std::shared_ptr<Mailbox> box, const Engine& engine,
                                                const EmbedCall& call, int64_t tokens) {
  std::vector<std::vector<float>> vectors(call.inputs.size());
  size_t missing = vectors.size();
  Outcome outcome;
  outcome.usage.prompt_tokens = tokens;
  connection->WatchClient(box);
  while (missing > 0) {
    std::vector<Event> events = co_await box->Take(kLongTime);
    if (box->closed()) {
      outcome.status = 499;
      co_return outcome;
    }
    for (Event& event : events) {
      if (const auto* failure = std::get_if<Error>(&event.what)) {
        const ApiError error = ToApiError(*failure);
        co_await connection->SendError(error, false);
        outcome.status = error.status;
        co_return outcome;
      }
      vectors[static_cast<size_t>(event.choice)] = std::move(std::get<std::vector<float>>(event.what));
      --missing;
    }
  }
  const json::object body = Body(engine, call, vectors, tokens);
  co_await connection->SendJson(200, body, false);
  co_return outcome;
}

}  // namespace portcullis::inference
