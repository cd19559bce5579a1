// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/session.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>

#include "daemon/log.hpp"
#include "proto/varlink_socket.hpp"

namespace morpheus::daemon {
namespace {

using boost::asio::posix::stream_descriptor;
using namespace std::string_literals;

// Output above this is written before more is read: a peer that does not read is not answered. Half
// of the least output_bytes that a configuration may allow.
constexpr std::size_t kPauseBytes = 32 * 1024;
constexpr std::size_t kEventsPerReply = 128;
constexpr auto kTurn = std::chrono::milliseconds(1);
constexpr std::size_t kLongestLogged = 200;

varlink::Limits wire_limits(const ConfigLimits& limits) {
  return {.message_bytes = limits.message_bytes,
          .depth = limits.message_depth,
          .fds = limits.message_fds};
}

// Hands `fd` over; leaves `to` closed where the kernel cannot watch it.
void watch(stream_descriptor& to, UniqueFd fd) {
  if (!fd) return;
  boost::system::error_code error;
  to.assign(fd.get(), error);
  if (!error) (void)fd.release();
}

CallFault quota_exceeded(const Error& error) {
  return quota_fault("io.morpheus.Transport.QuotaExceeded", *error.quota).value();
}

Json error_message(const CallFault& why) {
  Json message{{"error", why.name}};
  if (!why.parameters.empty()) message["parameters"] = why.parameters;
  return message;
}

}  // namespace

Session::Session(SessionContext context, UniqueFd socket, Peer peer)
    : context_(context),
      socket_(context.loop),
      peer_watch_(context.loop),
      caller_{std::move(peer), nullptr, nullptr},
      decoder_(wire_limits(context.core.limits())),
      memory_(context.core.accounts(), caller_.peer.uid, Resource::memory),
      requests_(context.core.accounts(), caller_.peer.uid, Resource::requests),
      last_call_(Clock::now()),
      partial_since_(last_call_),
      last_progress_(last_call_) {
  watch(socket_, std::move(socket));
}

Session::~Session() { close(); }

void Session::start(std::function<void()> on_close) {
  on_close_ = std::move(on_close);
  if (!socket_.is_open()) return close();
  watch_peer();
  read_later();
}

void Session::close() {
  if (std::exchange(closed_, true)) return;
  caller_.subscription.reset();
  if (caller_.client != nullptr) {
    log::debug("client {} is gone", caller_.client->id);
    context_.core.clients().detach(*std::exchange(caller_.client, nullptr));
  }
  context_.closer.close(uid(), decoder_.abandon());
  if (socket_.is_open()) context_.closer.close_connection(uid(), UniqueFd(socket_.release()));
  (void)memory_.resize(0);
  (void)requests_.resize(0);
  boost::system::error_code ignored;
  peer_watch_.close(ignored);
  if (on_close_) boost::asio::post(context_.loop, std::exchange(on_close_, nullptr));
}

// A socket can outlive its process in a child; the client's threads cannot.
void Session::watch_peer() {
  watch(peer_watch_, UniqueFd(::fcntl(caller_.peer.pidfd.get(), F_DUPFD_CLOEXEC, 0)));
  if (!peer_watch_.is_open()) return close();
  peer_watch_.async_wait(stream_descriptor::wait_read,
                         [self = shared_from_this()](boost::system::error_code error) {
                           if (!error) self->close();
                         });
}

void Session::read_later() {
  if (reading_ || closed_) return;
  reading_ = true;
  socket_.async_wait(stream_descriptor::wait_read,
                     [self = shared_from_this()](boost::system::error_code error) {
                       self->reading_ = false;
                       if (!error && !self->closed_) self->read_once();
                     });
}

void Session::read_once() {
  std::array<char, 65536> buffer;
  const bool had_partial = decoder_.has_partial();
  // all descriptors, however few are allowed: the kernel would close the others here and now
  auto got = varlink::receive_some(socket_.native_handle(), buffer, varlink::kMostFds);
  if (!got && got.error().code == EAGAIN) return read_later();
  if (!got || got->size == 0) return close();
  const bool has_fds = !got->fds.empty();
  decoder_.feed({buffer.data(), got->size}, std::move(got->fds), got->descriptors_lost);
  if (!had_partial) partial_since_ = Clock::now();
  if (has_fds && context_.closer.waiting(uid()) >= context_.core.limits().unclosed_per_uid) {
    log_refusal("descriptors that cannot be closed", Json::object());
    return close();
  }
  if (const auto charged = account(); !charged) return end_with(quota_exceeded(charged.error()));
  advance();
}

void Session::advance() {
  if (closed_ || ending_ || asked_ || output_.size() > kPauseBytes) return;
  if (!long_answer_ && !decoder_.has_next()) return read_later();
  asked_ = true;
  context_.turns.ask(uid(), shared_from_this());
}

bool Session::take_turn() {
  const auto end = Clock::now() + kTurn;
  const std::uint32_t most = context_.core.limits().requests_per_turn;
  for (std::uint32_t done = 0; done == 0 || (done < most && Clock::now() < end); ++done) {
    if (handle_next()) continue;
    asked_ = false;
    return false;
  }
  return true;
}

bool Session::handle_next() {
  if (closed_ || ending_ || output_.size() > kPauseBytes) return false;
  if (long_answer_) {
    write_more();
    return true;
  }
  auto next = decoder_.next();
  if (!next) {
    read_later();
    return false;
  }
  last_call_ = partial_since_ = Clock::now();
  if (*next)
    handle(std::move(**next));
  else
    refuse_stream(next->error());
  return true;
}

void Session::handle(varlink::Message message) {
  auto call = parse_call(std::move(message.json));
  // replies come in the order of calls, and a subscription's never end
  if (!call || caller_.subscription) {
    context_.closer.close(uid(), std::move(message.fds));
    return end_with({"io.morpheus.Transport.MalformedMessage",
                     {{"reason", call ? "subscribed" : "not_a_call"}}});
  }
  call->fds = std::move(message.fds);
  auto outcome = context_.router.call(*call, caller_);
  context_.closer.close(uid(), std::move(call->fds));
  deliver(std::move(outcome), *call);
}

void Session::deliver(Outcome outcome, const Call& call) {
  if (!outcome) log_refusal(outcome.error().name, outcome.error().parameters);
  if (call.oneway) return;
  if (!outcome) return reply(error_message(outcome.error()), {});
  if (outcome->write_more) {
    long_answer_ = std::move(outcome->write_more);
    output_.push("{\"parameters\":", {});
    return;
  }
  Json message{{"parameters", std::move(outcome->parameters)}};
  if (outcome->continues) {
    message["continues"] = true;
    caller_.subscription->wake = [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->send_events();
    };
  }
  reply(message, std::move(outcome->fds));
}

void Session::reply(const Json& message, FdList fds) {
  std::string bytes = varlink::encode_message(message);
  const std::size_t size = bytes.size();
  put_out(size, [&] { output_.push(std::move(bytes), std::move(fds)); });
}

// As fast as the peer reads it: however long the answer is, little of it waits here.
void Session::write_more() {
  std::string piece;
  const bool more = long_answer_(piece);
  if (!more) piece += "}\0"s;
  const std::size_t size = piece.size();
  put_out(size, [&] { output_.append(std::move(piece)); });
  if (!more) long_answer_ = nullptr;
}

template <class Push>
void Session::put_out(std::size_t bytes, Push push) {
  if (closed_) return;
  if (output_.empty()) last_progress_ = Clock::now();
  // what ends the connection is small, and is always said
  if (!ending_)
    if (const auto charged = account(bytes); !charged)
      return end_with(quota_exceeded(charged.error()));
  push();
  flush();
  if (output_.size() > context_.core.limits().output_bytes) {
    log_refusal("output limit", {{"bytes", output_.size()}});
    close();
  }
}

Result<void> Session::account(std::size_t more) {
  if (auto charged = memory_.resize(decoder_.buffered() + output_.size() + more); !charged)
    return charged;
  // of a long answer the part that waits may be none
  return requests_.resize(long_answer_ ? std::max<std::size_t>(output_.messages(), 1)
                                       : output_.messages() + (more > 0 ? 1 : 0));
}

void Session::flush() {
  if (closed_ || writing_) return;
  const std::size_t before = output_.size();
  const auto done = output_.write_to(socket_.native_handle());
  if (!done) return close();
  (void)account();  // it has become less
  if (output_.size() < before) last_progress_ = Clock::now();
  if (*done) {
    if (ending_) close();
    return;
  }
  writing_ = true;
  socket_.async_wait(stream_descriptor::wait_write,
                     [self = shared_from_this()](boost::system::error_code error) {
                       self->writing_ = false;
                       if (error || self->closed_) return;
                       self->flush();
                       self->send_events();
                       self->advance();
                     });
}

void Session::send_events() {
  while (!closed_ && caller_.subscription && output_.empty() && !caller_.subscription->empty())
    reply({{"parameters", caller_.subscription->take(kEventsPerReply)}, {"continues", true}}, {});
}

void Session::refuse_stream(varlink::DecodeError error) {
  const auto& limits = context_.core.limits();
  using varlink::DecodeError;
  if (error == DecodeError::message_too_long)
    return end_with({"io.morpheus.Transport.MessageTooLong", {{"limit", limits.message_bytes}}});
  if (error == DecodeError::too_many_descriptors)
    return end_with({"io.morpheus.Transport.TooManyDescriptors", {{"limit", limits.message_fds}}});
  end_with({"io.morpheus.Transport.MalformedMessage", {{"reason", varlink::name(error)}}});
}

void Session::end_with(const CallFault& why) {
  log_refusal(why.name, why.parameters);
  if (long_answer_) return close();  // in the middle of an answer nothing else can be said
  ending_ = true;
  caller_.subscription.reset();
  reply(error_message(why), {});
}

void Session::log_refusal(const std::string& kind, const Json& parameters) {
  if (!logged_.insert(kind).second) return;
  const auto suppressed = context_.refusals.should_log(uid(), kind, Clock::now());
  if (!suppressed) return;
  // dumped as ASCII: what a peer sent must not write control characters to a terminal
  std::string details = parameters.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (details.size() > kLongestLogged) details.resize(kLongestLogged);
  std::string before;
  if (*suppressed > 0) before = fmt::format(" ({} more of this kind were not logged)", *suppressed);
  log::warn("refused pid {} uid {}: {} {}{}", caller_.peer.pid, uid(), kind, details, before);
}

void Session::check_patience(Clock::time_point now) {
  if (closed_) return;
  const auto& limits = context_.core.limits();
  const std::chrono::milliseconds stall(limits.stall_timeout_ms);
  const std::chrono::milliseconds idle(limits.idle_timeout_ms);
  const bool not_reading = !output_.empty() && now - last_progress_ > stall;
  const bool half_message = reading_ && decoder_.has_partial() && now - partial_since_ > stall;
  const bool has_purpose = caller_.client != nullptr || caller_.subscription != nullptr;
  const bool silent = !has_purpose && output_.empty() && now - last_call_ > idle;
  if (!not_reading && !half_message && !silent) return;
  log_refusal(not_reading    ? "does not read"
              : half_message ? "half a message"
                             : "idle",
              Json::object());
  close();
}

}  // namespace morpheus::daemon
