// SPDX-License-Identifier: GPL-2.0-only
// Metrics over HTTP, for Prometheus: GET /metrics on a loopback address. Off unless the operator
// names an address. It changes nothing, and a client can hold up only itself.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "daemon/config/metrics_address.hpp"
#include "proto/result.hpp"

namespace morpheus::daemon {

class MetricsServer {
 public:
  /// Makes the text for one scrape, on the loop's thread.
  using Render = std::function<std::string(bool openmetrics)>;

  /// Listens. Both `loop` and what `render` uses outlive the server.
  [[nodiscard]] static Result<std::unique_ptr<MetricsServer>> listen(boost::asio::io_context& loop,
                                                                     const MetricsAddress& where,
                                                                     Render render);
  ~MetricsServer();

  /// Where it listens, with the real port, as a URL.
  [[nodiscard]] std::string url() const;

 private:
  struct State;
  explicit MetricsServer(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace morpheus::daemon
