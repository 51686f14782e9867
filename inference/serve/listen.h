// The engine's listening socket: inherited from systemd (LISTEN_FDS) or made at a path, mode 0660.
// A socket file left behind by a dead engine is replaced; anything else in the way is an error.
#pragma once

#include <filesystem>

#include "inference/error.h"

namespace portcullis::inference {

// Owns a bound socket, and the file it made.
class ListeningSocket {
 public:
  // Bound, not yet listening: clients see "refused" until Listen.
  static Result<ListeningSocket> Bind(const std::filesystem::path& path);
  static Result<ListeningSocket> Inherit();  // the one socket of LISTEN_FDS
  static bool Inherited();                   // LISTEN_FDS was given to this process

  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();

  Result<void> Listen();
  int Release();  // gives the descriptor away; the file is still removed at the end

 private:
  ListeningSocket(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}

  int fd_ = -1;
  std::filesystem::path path_;  // empty: not ours to remove
};

}  // namespace portcullis::inference
