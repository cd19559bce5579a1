// SPDX-License-Identifier: GPL-2.0-only
// A TCP server that sends back what it receives:
//
//     echo [PORT]        try: nc 127.0.0.1 7007
//
// Stops on SIGINT or SIGTERM, once every connection has ended.
#include <morpheus/adapters/asio.hpp>
#include <morpheus/scope.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stop_token>
#include <utility>

using boost::asio::ip::tcp;
using morpheus::task;
using morpheus::use_task;
namespace asio = boost::asio;

namespace {

task<> echo(tcp::socket socket, std::stop_token stop) {
  // With one thread the stop comes between two steps of this task, so nothing else uses the socket.
  std::stop_callback on_stop(stop, [&socket] { socket.shutdown(tcp::socket::shutdown_receive); });
  char bytes[4096];
  while (true) {
    const auto [error, got] =
        co_await socket.async_read_some(asio::buffer(bytes), asio::as_tuple(use_task));
    if (error) co_return;
    const auto [failed, sent] =
        co_await asio::async_write(socket, asio::buffer(bytes, got), asio::as_tuple(use_task));
    if (failed) co_return;
  }
}

task<> accept(tcp::acceptor& acceptor, morpheus::scope& connections) {
  while (true) {
    auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(use_task));
    if (error) co_return;
    connections.spawn(echo(std::move(socket), connections.stop_token()));
  }
}

task<> run(morpheus::asio_executor executor, unsigned short port) {
  tcp::acceptor acceptor(executor, {asio::ip::address_v4::loopback(), port});
  std::printf("listening on 127.0.0.1:%u\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  morpheus::scope scope;
  scope.spawn(accept(acceptor, scope));
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
    runtime.run(
        run(io.get_executor(), static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 7007)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "echo: %s\n", error.what());
    return 1;
  }
}
