// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/session.hpp"

#include <fcntl.h>

#include <array>
#include <boost/asio/post.hpp>

#include "daemon/log.hpp"
#include "proto/varlink_socket.hpp"

namespace morpheus::daemon {
namespace {

using boost::asio::posix::stream_descriptor;

// Output above this is written before more is read: a peer that does not read is not answered. Half
// of the least output_bytes that a configuration may allow.
constexpr std::size_t kPauseBytes = std::size_t{32} << 10;
constexpr std::size_t kEventsPerReply = 128;
constexpr auto kTurn = std::chrono::milliseconds(1);

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

CallFault fault_of(varlink::DecodeError error, const ConfigLimits& limits) {
  using varlink::DecodeError;
  if (error == DecodeError::message_too_long)
    return {"io.morpheus.Transport.MessageTooLong", {{"limit", limits.message_bytes}}};
  if (error == DecodeError::too_many_descriptors)
    return {"io.morpheus.Transport.TooManyDescriptors", {{"limit", limits.message_fds}}};
  return {"io.morpheus.Transport.MalformedMessage", {{"reason", varlink::name(error)}}};
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
      input_(context.core.limits(), context.core.accounts(), uid()),
      output_(context.core.accounts(), uid()),
      refusals_(context.refusals, caller_.peer.pid, uid()) {
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
  if (std::exchange(state_, State::closed) == State::closed) return;
  caller_.subscription.reset();
  if (caller_.client != nullptr) {
    log::debug("client {} is gone", caller_.client->id);
    context_.core.clients().detach(*std::exchange(caller_.client, nullptr));
  }
  context_.closer.close(uid(), input_.abandon());
  if (socket_.is_open()) context_.closer.close_connection(uid(), UniqueFd(socket_.release()));
  output_.release();
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
  if (reading_ || state_ == State::closed) return;
  reading_ = true;
  socket_.async_wait(stream_descriptor::wait_read,
                     [self = shared_from_this()](boost::system::error_code error) {
                       self->reading_ = false;
                       if (!error && self->state_ != State::closed) self->read_once();
                     });
}

void Session::read_once() {
  std::array<char, 65536> buffer;
  // all descriptors, however few are allowed: the kernel would close the others here and now
  auto got = varlink::receive_some(socket_.native_handle(), buffer, varlink::kMostFds);
  if (!got && got.error().code == EAGAIN) return read_later();
  if (!got || got->size == 0) return close();
  const bool has_fds = !got->fds.empty();
  input_.feed({buffer.data(), got->size}, std::move(got->fds), got->descriptors_lost);
  if (has_fds && context_.closer.waiting(uid()) >= context_.core.limits().unclosed_per_uid) {
    refuse("descriptors that cannot be closed");
    return close();
  }
  if (const auto charged = account(); !charged) return end_with(quota_exceeded(charged.error()));
  advance();
}

void Session::advance() {
  if (state_ != State::open || waits_for_turn_ || output_.size() > kPauseBytes) return;
  if (!output_.has_long_answer() && !input_.has_next()) return read_later();
  waits_for_turn_ = true;
  context_.turns.enqueue(uid(), shared_from_this());
}

bool Session::take_turn() {
  const auto end = Clock::now() + kTurn;
  const std::uint32_t most = context_.core.limits().requests_per_turn;
  for (std::uint32_t done = 0; done == 0 || (done < most && Clock::now() < end); ++done) {
    if (handle_next()) continue;
    waits_for_turn_ = false;
    return false;
  }
  return true;
}

bool Session::handle_next() {
  if (state_ != State::open || output_.size() > kPauseBytes) return false;
  if (output_.has_long_answer()) {
    write_more();
    return true;
  }
  auto next = input_.next();
  if (!next) {
    read_later();
    return false;
  }
  if (*next)
    handle(std::move(**next));
  else
    end_with(fault_of(next->error(), context_.core.limits()));
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
  if (!outcome) refuse(outcome.error().name, outcome.error().parameters);
  if (call.oneway) return;
  if (!outcome) return reply(error_message(outcome.error()), {});
  if (outcome->write_more) return output_.begin_long_answer(std::move(outcome->write_more));
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
  put_out(varlink::encode_message(message), std::move(fds));
}

void Session::write_more() {
  std::string piece;
  const bool more = output_.make_piece(piece);
  put_out(std::move(piece), {});
  if (!more) output_.end_long_answer();
}

void Session::put_out(std::string bytes, FdList fds) {
  if (state_ == State::closed) return;
  // the error that ends the connection is small, and is always sent
  if (state_ == State::open)
    if (const auto charged = account(bytes.size()); !charged)
      return end_with(quota_exceeded(charged.error()));
  output_.add(std::move(bytes), std::move(fds));
  flush();
  if (output_.size() > context_.core.limits().output_bytes) {
    refuse("output limit", {{"bytes", output_.size()}});
    close();
  }
}

Result<void> Session::account(std::size_t more) {
  if (auto charged = input_.charge(); !charged) return charged;
  return output_.charge(more);
}

void Session::flush() {
  if (state_ == State::closed || writing_) return;
  const auto done = output_.write_to(socket_.native_handle());
  if (!done) return close();
  (void)account();  // it has become less
  if (*done) {
    if (state_ == State::ending) close();
    return;
  }
  writing_ = true;
  socket_.async_wait(stream_descriptor::wait_write,
                     [self = shared_from_this()](boost::system::error_code error) {
                       self->writing_ = false;
                       if (error || self->state_ == State::closed) return;
                       self->flush();
                       self->send_events();
                       self->advance();
                     });
}

void Session::send_events() {
  while (state_ != State::closed && caller_.subscription && output_.empty() &&
         !caller_.subscription->empty())
    reply({{"parameters", caller_.subscription->take(kEventsPerReply)}, {"continues", true}}, {});
}

void Session::refuse(const std::string& kind, const Json& parameters) {
  context_.core.count_refusal();
  refusals_.report(kind, parameters);
}

void Session::end_with(const CallFault& why) {
  refuse(why.name, why.parameters);
  if (output_.has_long_answer()) return close();  // nothing else can be sent in the middle of one
  state_ = State::ending;
  caller_.subscription.reset();
  reply(error_message(why), {});
}

void Session::check_patience(Clock::time_point now) {
  if (state_ == State::closed) return;
  const auto& limits = context_.core.limits();
  const std::chrono::milliseconds stall(limits.stall_timeout_ms);
  const std::chrono::milliseconds idle(limits.idle_timeout_ms);
  const bool not_reading = output_.is_stalled(now, stall);
  const bool half_message = reading_ && input_.is_stalled(now, stall);
  const bool has_purpose = caller_.client != nullptr || caller_.subscription != nullptr;
  const bool silent = !has_purpose && output_.empty() && input_.is_idle(now, idle);
  if (!not_reading && !half_message && !silent) return;
  refuse(not_reading ? "does not read" : half_message ? "half a message" : "idle");
  close();
}

}  // namespace morpheus::daemon
