// SPDX-License-Identifier: GPL-2.0-only
// A TCP server that sends back what it receives:
//
//     echo [PORT [LIMIT_MS]]        try: nc 127.0.0.1 7007
//
// A client that says nothing for LIMIT_MS, or takes nothing for so long, loses its connection.
// Stops on SIGINT or SIGTERM, once every connection has ended.
#include <morpheus/adapters/asio.hpp>
#include <morpheus/scope.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stop_token>
#include <utility>

using boost::asio::ip::tcp;
using morpheus::task;
using morpheus::use_task;
namespace asio = boost::asio;

namespace {

/// A limit of time for one operation after another: its token ends the operation with
/// operation_aborted when the time is over, and gives the error as a value.
class TimeLimit {
 public:
  TimeLimit(const asio::any_io_executor& executor, std::chrono::milliseconds span)
      : timer_(executor), span_(span) {}

  auto token() {
    signal_ = std::make_shared<asio::cancellation_signal>();
    timer_.expires_after(span_);
    timer_.async_wait([signal = signal_](boost::system::error_code error) {
      if (!error) signal->emit(asio::cancellation_type::terminal);
    });
    return asio::as_tuple(asio::bind_cancellation_slot(signal_->slot(), use_task));
  }

 private:
  asio::steady_timer timer_;
  std::chrono::milliseconds span_;
  // Of its own for each operation: the timer may have rung already when the next one begins.
  std::shared_ptr<asio::cancellation_signal> signal_;
};

task<> echo(tcp::socket socket, std::chrono::milliseconds span, std::stop_token stop) {
  TimeLimit limit(socket.get_executor(), span);
  // With one thread the stop comes between two steps of this task, so nothing else uses the socket.
  std::stop_callback on_stop(stop, [&socket] { socket.shutdown(tcp::socket::shutdown_receive); });
  char bytes[4096];
  while (true) {
    const auto [error, got] = co_await socket.async_read_some(asio::buffer(bytes), limit.token());
    if (error) co_return;
    const auto [failed, sent] =
        co_await asio::async_write(socket, asio::buffer(bytes, got), limit.token());
    if (failed) co_return;
  }
}

task<> accept(tcp::acceptor& acceptor, std::chrono::milliseconds span,
              morpheus::scope& connections) {
  while (true) {
    auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(use_task));
    if (error) co_return;
    connections.spawn(echo(std::move(socket), span, connections.stop_token()));
  }
}

task<> run(morpheus::asio_executor executor, unsigned short port, std::chrono::milliseconds span) {
  tcp::acceptor acceptor(executor, {asio::ip::address_v4::loopback(), port});
  std::printf("listening on 127.0.0.1:%u\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  morpheus::scope scope;
  scope.spawn(accept(acceptor, span, scope));
  asio::signal_set signals(executor, SIGINT, SIGTERM);
  (void)co_await signals.async_wait(use_task);
  acceptor.close();
  scope.request_stop();
  co_await scope.join();
  std::printf("all connections have ended\n");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    asio::io_context context;
    morpheus::runtime runtime({.threads = 1, .name = "echo"});
    const morpheus::run_on io(runtime, context);
    const auto port = static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 7007);
    const std::chrono::milliseconds span(argc > 2 ? std::atoi(argv[2]) : 60'000);
    runtime.run(run(io.get_executor(), port, span));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "echo: %s\n", error.what());
    return 1;
  }
}
