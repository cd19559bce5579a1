// SPDX-License-Identifier: GPL-2.0-only
// A small synchronous Varlink client, with which morpheusctl, the SDK and the tests call the
// daemon.
#pragma once

#include <chrono>
#include <span>
#include <string>

#include "proto/result.hpp"
#include "proto/unique_fd.hpp"
#include "proto/varlink_decoder.hpp"

namespace morpheus::varlink {

struct Reply {
  Json parameters;  ///< always an object
  FdList fds;       ///< came with the reply; parameters name them by index
  bool continues = false;
};

/// Why a call has no reply.
struct [[nodiscard]] CallError {
  enum class Kind {
    transport,  ///< the connection is gone or broken, see `error`; connect again
    timeout,    ///< nothing came in time; the connection can no longer be used
    protocol,   ///< the peer sent something other than a Varlink reply
    varlink,    ///< the peer replied with the error `name` and `parameters`
  };
  Kind kind = Kind::transport;
  std::string name;
  Json parameters = Json::object();
  Error error;

  /// One line for people.
  [[nodiscard]] std::string text() const;
  /// Whether the peer replied with this error, e.g. "io.morpheus.Worker.NotAttached".
  [[nodiscard]] bool is(std::string_view error_name) const {
    return kind == Kind::varlink && name == error_name;
  }
};

using CallResult = tl::expected<Reply, CallError>;

/// One connection. Not thread-safe. Any failure but CallError::Kind::varlink ends the connection.
class Client {
 public:
  using Timeout = std::chrono::milliseconds;
  static constexpr Timeout kDefaultTimeout{5000};

  /// Connects to a listening AF_UNIX socket.
  [[nodiscard]] static Result<Client> connect(const std::string& path);
  /// Uses a connected stream socket and makes it non-blocking.
  explicit Client(UniqueFd socket);

  /// Calls and waits for the reply. `fds` are borrowed; parameters name them by index.
  [[nodiscard]] CallResult call(std::string_view method, const Json& parameters = Json::object(),
                                std::span<const int> fds = {}, Timeout timeout = kDefaultTimeout);

  /// Calls with `more`: read the replies with next_reply() until one does not continue.
  [[nodiscard]] tl::expected<void, CallError> call_more(std::string_view method,
                                                        const Json& parameters = Json::object(),
                                                        Timeout timeout = kDefaultTimeout);
  /// The next reply of call_more(). A timeout here leaves the connection usable.
  [[nodiscard]] CallResult next_reply(Timeout timeout);

  /// The socket, to poll or to watch for a hang-up; -1 once the connection has ended.
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  using Clock = std::chrono::steady_clock;
  tl::expected<void, CallError> send(const Json& message, std::span<const int> fds,
                                     Clock::time_point deadline);
  CallResult receive(Clock::time_point deadline);
  tl::expected<void, CallError> wait(short events, Clock::time_point deadline);
  CallError end(CallError error);

  UniqueFd socket_;
  Decoder decoder_;
};

}  // namespace morpheus::varlink
