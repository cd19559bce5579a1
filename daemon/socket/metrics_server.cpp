// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/metrics_server.hpp"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/service/metrics.hpp"

namespace morpheus::daemon {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr unsigned kMostConnections = 16;
constexpr std::uint32_t kLongestHeader = 8 * 1024;
constexpr auto kScrapePause = std::chrono::milliseconds(200);
constexpr auto kPatience = std::chrono::seconds(10);  // for one request and its answer

}  // namespace

struct MetricsServer::State {
  State(asio::io_context& loop, Render render)
      : acceptor(loop), pause(loop), render(std::move(render)) {}
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  Render render;
  unsigned connections = 0;
};

namespace {

/// One connection: answers requests one after the other until the peer closes, errs or is idle.
template <class State>
class Connection : public std::enable_shared_from_this<Connection<State>> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<State> server)
      : socket_(std::move(socket)), patience_(socket_.get_executor()), server_(std::move(server)) {
    ++server_->connections;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { --server_->connections; }

  void read() {
    parser_.emplace();
    parser_->header_limit(kLongestHeader);
    be_patient();
    parse();
  }

 private:
  // For one request and its answer. Whatever ends the connection stops this clock, too.
  void be_patient() {
    patience_.expires_after(kPatience);
    patience_.async_wait([self = this->shared_from_this()](boost::system::error_code error) {
      if (!error) self->end();
    });
  }

  void end() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    patience_.cancel();
  }

  // What follows the header of this request belongs to the next one: requests have no bodies.
  void parse() {
    boost::system::error_code error;
    received_.erase(0, parser_->put(asio::buffer(received_), error));
    if (error == http::error::need_more) return read_more();
    if (error || !parser_->is_done()) return end();
    answer();
  }

  void read_more() {
    socket_.async_read_some(
        asio::buffer(buffer_),
        [self = this->shared_from_this()](boost::system::error_code error, std::size_t size) {
          if (error) return self->end();
          self->received_.append(self->buffer_.data(), size);
          self->parse();
        });
  }

  void answer() {
    const auto& request = parser_->get();
    keeps_alive_ = request.keep_alive();
    response_ = request.version() < 11 ? "HTTP/1.0 " : "HTTP/1.1 ";
    fill(request);
    asio::async_write(
        socket_, asio::buffer(response_),
        [self = this->shared_from_this()](boost::system::error_code error, std::size_t) {
          if (error || !self->keeps_alive_) return self->end();
          self->read();
        });
  }

  void fill(const http::request<http::empty_body>& request) {
    constexpr auto kText = "text/plain; charset=utf-8";
    if (request.method() != http::verb::get && request.method() != http::verb::head)
      return respond("405 Method Not Allowed\r\nAllow: GET, HEAD", kText, "only GET\n");
    const auto path = request.target().substr(0, request.target().find('?'));
    if (path != "/metrics") return respond("404 Not Found", kText, "see /metrics\n");
    const bool openmetrics =
        request[http::field::accept].find("application/openmetrics-text") != std::string_view::npos;
    respond("200 OK", content_type(openmetrics ? Exposition::openmetrics : Exposition::prometheus),
            server_->render(openmetrics));
  }

  /// `status` may have header lines of its own.
  void respond(const char* status, const char* type, const std::string& body) {
    response_ += status;
    response_ += "\r\nServer: morpheusd\r\nConnection: ";
    response_ += keeps_alive_ ? "keep-alive" : "close";
    response_ += "\r\nContent-Type: ";
    response_ += type;
    response_ += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    if (parser_->get().method() != http::verb::head) response_ += body;
  }

  tcp::socket socket_;
  asio::steady_timer patience_;
  std::shared_ptr<State> server_;
  std::array<char, 4096> buffer_;
  std::string received_;  // not parsed yet
  std::optional<http::request_parser<http::empty_body>> parser_;
  std::string response_;
  bool keeps_alive_ = false;
};

template <class State>
void accept_next(const std::shared_ptr<State>& state);

// Without free descriptors, accepting fails at once, again and again.
template <class State>
void accept_later(const std::shared_ptr<State>& state) {
  state->pause.expires_after(kScrapePause);
  state->pause.async_wait([state](boost::system::error_code error) {
    if (!error) accept_next(state);
  });
}

template <class State>
void accept_next(const std::shared_ptr<State>& state) {
  state->acceptor.async_accept([state](boost::system::error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (error) return accept_later(state);
    // one too many is closed at once; a scraper comes again
    if (state->connections < kMostConnections)
      std::make_shared<Connection<State>>(std::move(socket), state)->read();
    accept_next(state);
  });
}

}  // namespace

MetricsServer::MetricsServer(std::shared_ptr<State> state) : state_(std::move(state)) {}

MetricsServer::~MetricsServer() {
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  state_->pause.cancel();
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::listen(asio::io_context& loop,
                                                             const MetricsAddress& where,
                                                             Render render) {
  const tcp::endpoint at(asio::ip::make_address(where.host), where.port);
  auto state = std::make_shared<State>(loop, std::move(render));
  boost::system::error_code error;
  state->acceptor.open(at.protocol(), error);
  if (!error) state->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) state->acceptor.bind(at, error);
  if (!error) state->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return fail("listen on " + where.host + " port " + std::to_string(where.port) + " for metrics",
                error.value());
  accept_next(state);
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(state)));
}

std::string MetricsServer::url() const {
  boost::system::error_code ignored;
  const auto at = state_->acceptor.local_endpoint(ignored);
  auto host = at.address().to_string();
  if (at.address().is_v6()) host = "[" + host + "]";
  return "http://" + host + ":" + std::to_string(at.port()) + "/metrics";
}

}  // namespace morpheus::daemon
