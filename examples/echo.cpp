// SPDX-License-Identifier: GPL-2.0-only
// A TCP server that sends back what it receives:
//
//     echo [PORT [LIMIT_MS]]        try: nc 127.0.0.1 7007
//
// A client that says nothing for LIMIT_MS, or takes nothing for so long, loses its connection.
// Stops on SIGINT or SIGTERM, once every connection has ended.
#include <morpheus/adapters/asio.hpp>
#include <morpheus/cancellation.hpp>
#include <morpheus/scope.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

using boost::asio::ip::tcp;
using morpheus::task;
using morpheus::use_task;
using morpheus::with_timeout;
namespace asio = boost::asio;

namespace {

task<> echo(tcp::socket socket, std::chrono::milliseconds limit) {
  char bytes[4096];
  while (true) {
    const auto [error, got] = co_await with_timeout(
        limit, socket.async_read_some(asio::buffer(bytes), asio::as_tuple(use_task)));
    if (error) co_return;
    const auto [failed, sent] = co_await with_timeout(
        limit, asio::async_write(socket, asio::buffer(bytes, got), asio::as_tuple(use_task)));
    if (failed) co_return;
  }
}

task<> accept(tcp::acceptor& acceptor, std::chrono::milliseconds limit,
              morpheus::scope& connections) {
  while (true) {
    auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(use_task));
    if (error) co_return;
    connections.spawn(echo(std::move(socket), limit));
  }
}

task<> run(morpheus::asio_executor executor, unsigned short port, std::chrono::milliseconds limit) {
  tcp::acceptor acceptor(executor, {asio::ip::address_v4::loopback(), port});
  std::printf("listening on 127.0.0.1:%u\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  asio::signal_set signals(executor, SIGINT, SIGTERM);
  co_await morpheus::with_scope([&](morpheus::scope& scope) -> task<> {
    scope.spawn(accept(acceptor, limit, scope));
    (void)co_await signals.async_wait(use_task);
    scope.request_stop();
  });
  std::printf("all connections have ended\n");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    asio::io_context context;
    morpheus::runtime runtime({.threads = 1, .name = "echo"});
    const morpheus::run_on io(runtime, context);
    const auto port = static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 7007);
    const std::chrono::milliseconds limit(argc > 2 ? std::atoi(argv[2]) : 60'000);
    runtime.run(run(io.get_executor(), port, limit));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "echo: %s\n", error.what());
    return 1;
  }
}
