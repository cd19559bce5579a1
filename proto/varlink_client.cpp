// SPDX-License-Identifier: GPL-2.0-only
#include "proto/varlink_client.hpp"

#include <fcntl.h>
#include <poll.h>

#include <array>

#include "proto/varlink_socket.hpp"

namespace morpheus::varlink {
namespace {

// A list of all workers may be long. The daemon is not hostile, but what it sends is still bounded.
constexpr Limits kReplyLimits{.message_bytes = std::size_t{16} << 20, .depth = 32, .fds = 16};

CallError transport(Error error) {
  return {CallError::Kind::transport, {}, Json::object(), std::move(error)};
}

CallError protocol(std::string what) {
  return {CallError::Kind::protocol, {}, Json::object(), Error{std::move(what)}};
}

Json object_or_empty(Json& message) {
  const auto it = message.find("parameters");
  if (it == message.end() || it->is_null()) return Json::object();
  return std::move(*it);
}

CallResult interpret(Message message) {
  Json parameters = object_or_empty(message.json);
  if (!parameters.is_object())
    return tl::unexpected(protocol("the parameters of the reply are no object"));
  if (const auto it = message.json.find("error"); it != message.json.end()) {
    if (!it->is_string()) return tl::unexpected(protocol("the name of the error is no string"));
    return tl::unexpected(
        CallError{CallError::Kind::varlink, it->get<std::string>(), std::move(parameters), {}});
  }
  const auto continues = message.json.find("continues");
  return Reply{std::move(parameters), std::move(message.fds),
               continues != message.json.end() && *continues == true};
}

}  // namespace

std::string CallError::text() const {
  if (kind != Kind::varlink) return error.text();
  if (parameters.empty()) return name;
  return name + " " + json_text(parameters);
}

Client::Client(UniqueFd socket) : socket_(std::move(socket)), decoder_(kReplyLimits) {
  const int flags = ::fcntl(socket_.get(), F_GETFL);
  if (flags >= 0) ::fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK);
}

Result<Client> Client::connect(const std::string& path) {
  return connect_unix(path).map([](UniqueFd socket) { return Client(std::move(socket)); });
}

CallResult Client::call(std::string_view method, const Json& parameters, std::span<const int> fds,
                        Timeout timeout) {
  const auto deadline = Clock::now() + timeout;
  auto sent = send({{"method", method}, {"parameters", parameters}}, fds, deadline);
  if (!sent && sent.error().kind == CallError::Kind::timeout)
    return tl::unexpected(end(sent.error()));
  // The peer may have sent the reason before it closed the connection in the middle of our message.
  auto reply = receive(deadline);
  if (reply || reply.error().kind == CallError::Kind::varlink) return reply;
  return tl::unexpected(end(sent ? reply.error() : sent.error()));
}

tl::expected<void, CallError> Client::call_more(std::string_view method, const Json& parameters,
                                                Timeout timeout) {
  auto sent = send({{"method", method}, {"parameters", parameters}, {"more", true}}, {},
                   Clock::now() + timeout);
  if (!sent) return tl::unexpected(end(sent.error()));
  return sent;
}

CallResult Client::next_reply(Timeout timeout) {
  auto reply = receive(Clock::now() + timeout);
  if (reply || reply.error().kind == CallError::Kind::varlink ||
      reply.error().kind == CallError::Kind::timeout)
    return reply;
  return tl::unexpected(end(reply.error()));
}

tl::expected<void, CallError> Client::send(const Json& message, std::span<const int> fds,
                                           Clock::time_point deadline) {
  if (!socket_) return tl::unexpected(transport({"the connection has ended", ENOTCONN}));
  const std::string bytes = encode_message(message);
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const auto sent = send_some(socket_.get(), rest, fds);
    if (sent) {
      rest.remove_prefix(*sent);
      fds = {};
    } else if (sent.error().code != EAGAIN) {
      return tl::unexpected(transport(sent.error()));
    } else if (auto ready = wait(POLLOUT, deadline); !ready) {
      return ready;
    }
  }
  return {};
}

CallResult Client::receive(Clock::time_point deadline) {
  if (!socket_) return tl::unexpected(transport({"the connection has ended", ENOTCONN}));
  std::array<char, 16384> buffer;
  while (true) {
    if (auto message = decoder_.next()) {
      if (*message) return interpret(std::move(**message));
      return tl::unexpected(protocol("bad reply: " + std::string(name(message->error()))));
    }
    auto got = receive_some(socket_.get(), buffer, kReplyLimits.fds);
    if (got && got->size == 0)
      return tl::unexpected(transport({"the peer closed the connection", ECONNRESET}));
    if (got) {
      decoder_.feed({buffer.data(), got->size}, std::move(got->fds), got->descriptors_lost);
    } else if (got.error().code != EAGAIN) {
      return tl::unexpected(transport(got.error()));
    } else if (auto ready = wait(POLLIN, deadline); !ready) {
      return tl::unexpected(ready.error());
    }
  }
}

tl::expected<void, CallError> Client::wait(short events, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<Timeout>(deadline - Clock::now()).count();
    pollfd watched{socket_.get(), events, 0};
    const int ready = left <= 0 ? 0 : ::poll(&watched, 1, static_cast<int>(left));
    if (ready > 0) return {};
    if (ready == 0)
      return tl::unexpected(CallError{
          CallError::Kind::timeout, {}, Json::object(), {"wait for the peer", ETIMEDOUT}});
    if (errno != EINTR) return tl::unexpected(transport({"poll", errno}));
  }
}

CallError Client::end(CallError error) {
  socket_.reset();
  return error;
}

}  // namespace morpheus::varlink
