// SPDX-License-Identifier: GPL-2.0-only
// An HTTP/1.1 server beside CPU-bound tasks on the same threads:
//
//     http [PORT [THREADS [BUSY]]]        try: wrk -c 20 -d 5 http://127.0.0.1:8080/
//
// BUSY tasks compute all the time and let others run every 50 us or so. The server prints its port,
// serves until SIGINT or SIGTERM, and then says how much the busy tasks did.
#include <morpheus/adapters/asio.hpp>
#include <morpheus/diagnosis.hpp>
#include <morpheus/scope.hpp>
#include <morpheus/yield.hpp>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

using boost::asio::ip::tcp;
using morpheus::task;
using morpheus::use_task;
namespace asio = boost::asio;

namespace {

constexpr std::size_t kLongestRequest = 8192;

std::string response_to(std::string_view request) {
  const bool is_get = request.starts_with("GET ");
  const std::string body = is_get ? "hello from morpheus\n" : "only GET\n";
  return std::string(is_get ? "HTTP/1.1 200 OK" : "HTTP/1.1 405 Method Not Allowed") +
         "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

/// One connection: requests without a body, one after another.
task<> talk(tcp::socket socket) {
  socket.set_option(tcp::no_delay(true));
  std::string received;
  while (true) {
    for (auto end = received.find("\r\n\r\n"); end != std::string::npos;
         end = received.find("\r\n\r\n")) {
      const std::string response = response_to(received);
      received.erase(0, end + 4);
      const auto [error, sent] =
          co_await asio::async_write(socket, asio::buffer(response), asio::as_tuple(use_task));
      if (error) co_return;
    }
    if (received.size() > kLongestRequest) co_return;
    char bytes[2048];
    const auto [error, got] =
        co_await socket.async_read_some(asio::buffer(bytes), asio::as_tuple(use_task));
    if (error) co_return;
    received.append(bytes, got);
  }
}

// A plain function, because GCC keeps the variables of a coroutine in memory.
std::uint64_t compute(std::uint64_t x) {
  for (int i = 0; i < 20'000; ++i) x = x * 6364136223846793005U + 1442695040888963407U;
  return x;
}

task<> keep_busy(std::stop_token stop, std::atomic<std::uint64_t>& done) {
  std::uint64_t x = 1;
  while (!stop.stop_requested()) {
    x = compute(x);
    done.fetch_add(1 + (x == 0 ? 1 : 0), std::memory_order_relaxed);
    co_await morpheus::yield();
  }
}

task<> serve(tcp::acceptor& acceptor, morpheus::scope& connections) {
  while (true) {
    auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(use_task));
    if (error == asio::error::operation_aborted) co_return;
    if (!error) connections.spawn(morpheus::named("connection", talk(std::move(socket))));
  }
}

task<> run(morpheus::asio_executor executor, unsigned short port, int busy) {
  tcp::acceptor acceptor(executor, {asio::ip::address_v4::loopback(), port});
  std::printf("listening on 127.0.0.1:%u\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  std::atomic<std::uint64_t> done{0};
  morpheus::scope scope;
  scope.spawn(morpheus::named("acceptor", serve(acceptor, scope)));
  for (int i = 0; i < busy; ++i)
    scope.spawn(morpheus::named("busy", keep_busy(scope.stop_token(), done)));
  asio::signal_set signals(executor, SIGINT, SIGTERM);
  (void)co_await signals.async_wait(use_task);
  acceptor.close();
  scope.request_stop();
  std::printf("busy tasks did %llu pieces\n", static_cast<unsigned long long>(done.load()));
  std::fflush(stdout);
  std::_Exit(0);  // connections that are kept alive have nothing to finish
}

}  // namespace

int main(int argc, char** argv) {
  const auto port = static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 8080);
  const auto threads = static_cast<unsigned>(argc > 2 ? std::atoi(argv[2]) : 0);
  const int busy = argc > 3 ? std::atoi(argv[3]) : 0;
  try {
    asio::io_context context;
    morpheus::runtime runtime({.threads = threads, .name = "http"});
    const morpheus::run_on io(runtime, context);
    morpheus::dump_tasks_on(SIGUSR1);
    runtime.run(run(io.get_executor(), port, busy));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "http: %s\n", error.what());
    return 1;
  }
}
