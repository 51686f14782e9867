// POST /v1/embeddings: the vectors of some texts, of length 1, as numbers or in base64 (32-bit
// floats, little endian). All of a call are computed together; it is answered whole.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <vector>

#include "inference/serve/answering.h"
#include "inference/serve/call.h"
#include "inference/serve/connection.h"

namespace portcullis::inference {

struct PreparedEmbedding {
  std::vector<EmbedRequest> requests;
  int64_t tokens = 0;
};
ApiResult<PreparedEmbedding> PrepareEmbedding(const Engine& engine, const EmbedCall& call,
                                              const Caller& caller);

boost::asio::awaitable<Outcome> AnswerEmbedding(std::shared_ptr<Connection> connection,
                                                std::shared_ptr<Mailbox> box, const Engine& engine,
                                                const EmbedCall& call, int64_t tokens);

}  // namespace portcullis::inference
