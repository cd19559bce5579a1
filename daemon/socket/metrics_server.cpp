// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/socket/metrics_server.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>

#include "daemon/log.hpp"
#include "daemon/service/metrics.hpp"

namespace morpheus::daemon {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr unsigned kMostConnections = 16;
constexpr std::uint32_t kLongestHeader = 8 * 1024;
constexpr auto kPause = std::chrono::milliseconds(200);
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
      : stream_(std::move(socket)), server_(std::move(server)) {
    ++server_->connections;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { --server_->connections; }

  void read() {
    parser_.emplace();
    parser_->header_limit(kLongestHeader);
    parser_->body_limit(0);
    stream_.expires_after(kPatience);
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](beast::error_code error, std::size_t) {
                       if (!error) self->answer();
                     });
  }

 private:
  void answer() {
    const auto& request = parser_->get();
    response_ = {};
    response_.version(request.version());
    response_.keep_alive(request.keep_alive());
    response_.set(http::field::server, "morpheusd");
    fill(request);
    response_.content_length(response_.body().size());
    if (request.method() == http::verb::head) response_.body().clear();
    stream_.expires_after(kPatience);
    http::async_write(stream_, response_,
                      [self = this->shared_from_this()](beast::error_code error, std::size_t) {
                        if (!error && self->response_.keep_alive()) self->read();
                      });
  }

  void fill(const http::request<http::empty_body>& request) {
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
      response_.set(http::field::allow, "GET, HEAD");
      return respond(http::status::method_not_allowed, "only GET\n");
    }
    const auto path = request.target().substr(0, request.target().find('?'));
    if (path != "/metrics") return respond(http::status::not_found, "see /metrics\n");
    const bool openmetrics =
        request[http::field::accept].find("application/openmetrics-text") != std::string_view::npos;
    response_.result(http::status::ok);
    response_.set(http::field::content_type,
                  content_type(openmetrics ? Exposition::openmetrics : Exposition::prometheus));
    response_.body() = server_->render(openmetrics);
  }

  void respond(http::status status, const char* text) {
    response_.result(status);
    response_.set(http::field::content_type, "text/plain; charset=utf-8");
    response_.body() = text;
  }

  beast::tcp_stream stream_;
  std::shared_ptr<State> server_;
  beast::flat_buffer buffer_{kLongestHeader};
  std::optional<http::request_parser<http::empty_body>> parser_;
  http::response<http::string_body> response_;
};

template <class State>
void accept_next(const std::shared_ptr<State>& state);

// Without free descriptors, accepting fails at once, again and again.
template <class State>
void accept_later(const std::shared_ptr<State>& state) {
  state->pause.expires_after(kPause);
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
