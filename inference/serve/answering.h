// Answers one accepted generation over its connection, as a stream or whole. Fails only by the
// connection's end; `echoes` stand before the answers; the generations are cancelled when the caller's handles go.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>

#include "inference/serve/connection.h"
#include "inference/serve/reply.h"

namespace portcullis::inference {

struct Outcome {
  unsigned status = 200;  // 499: the client left
  Usage usage;
};

boost::asio::awaitable<Outcome> AnswerStream(std::shared_ptr<Connection> connection,
                                             std::shared_ptr<Mailbox> box, const Reply& reply,
                                             const Call& call,
                                             const std::vector<std::string>& echoes,
                                             std::chrono::steady_clock::duration keep_alive);
boost::asio::awaitable<Outcome> AnswerWhole(std::shared_ptr<Connection> connection,
                                            std::shared_ptr<Mailbox> box, const Reply& reply,
                                            const Call& call,
                                            const std::vector<std::string>& echoes);

}  // namespace portcullis::inference
