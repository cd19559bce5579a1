// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/daemon.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "daemon/config/names.hpp"
#include "daemon/kernel/bpf_kernel.hpp"
#include "daemon/log.hpp"
#include "daemon/reload.hpp"
#include "daemon/service/control_service.hpp"
#include "daemon/service/metrics.hpp"
#include "daemon/service/worker_service.hpp"
#include "daemon/service_notify.hpp"
#include "daemon/socket/listener.hpp"
#include "daemon/socket/metrics_server.hpp"
#include "daemon/socket/server.hpp"
#include "proto/interfaces.hpp"
#include "proto/monotonic_clock.hpp"

namespace morpheus::daemon {
namespace {

namespace asio = boost::asio;
using asio::posix::stream_descriptor;

constexpr const char* kScopeWarning =
    "scope \"workers\": in Enforced mode every other thread goes before the workers; on a CPU that "
    "others keep busy they get what the kernel's ext_server leaves them (5 %, Linux 7.0+), or "
    "nothing";

ExitStatus status_for(const Error& error) {
  return error.code == EPERM || error.code == EACCES ? ExitStatus::permission
                                                     : ExitStatus::unavailable;
}

Listener take_socket(const std::string& path) {
  auto inherited = Listener::inherited();
  if (inherited) return std::move(*inherited);
  if (inherited.error().code != ENOENT)
    throw StartError(ExitStatus::unavailable, inherited.error().text());
  auto locked = Listener::lock(path);
  if (locked) return std::move(*locked);
  if (locked.error().code == EWOULDBLOCK)
    throw StartError(ExitStatus::busy,
                     "another morpheusd runs on " + path + "; stop it, or choose another --socket");
  throw StartError(status_for(locked.error()),
                   locked.error().text() + "; choose another --socket or run as root");
}

// Stops the kernel side at the end of the scope, also after an exception.
class RunningKernel {
 public:
  RunningKernel(const Options& options)
      : kernel_(options.config.backend == "fake" ? std::make_unique<FakeKernel>(options.fake)
                                                 : make_bpf_kernel(options.config.scope)) {
    if (const auto started = kernel_->start(options.config.tunables); !started) {
      kernel_->stop();
      throw StartError(status_for(started.error()), started.error().text());
    }
  }
  RunningKernel(const RunningKernel&) = delete;
  RunningKernel& operator=(const RunningKernel&) = delete;
  ~RunningKernel() { kernel_->stop(); }
  KernelSide& operator*() { return *kernel_; }

 private:
  std::unique_ptr<KernelSide> kernel_;
};

GlobalBlock make_global() {
  auto global = GlobalBlock::create();
  if (!global) throw StartError(ExitStatus::unavailable, global.error().text());
  return std::move(*global);
}

// Each connection needs three descriptors, each client two more, each worker one.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

std::unique_ptr<MetricsServer> serve_metrics(const Config& config, asio::io_context& io,
                                             Core& core) {
  if (config.metrics.empty()) return nullptr;
  const auto at = parse_metrics_address(config.metrics);
  if (!at) throw StartError(ExitStatus::config, "metrics: " + at.error().text());
  auto server = MetricsServer::listen(io, *at, [&core](bool openmetrics) {
    return metrics_text(core, openmetrics ? Exposition::openmetrics : Exposition::prometheus);
  });
  if (!server)
    throw StartError(status_for(server.error()),
                     server.error().text() + "; choose another --metrics");
  log::info("metrics at {}", (*server)->url());
  return std::move(*server);
}

void set_first_mode(Mode mode, Core& core) {
  if (mode != Mode::enforced) return;
  if (const auto set = core.set_mode(mode); !set)
    throw StartError(status_for(set.error()),
                     "cannot start in enforced mode: " + set.error().text() +
                         "; --mode observer works without it");
}

/// One line for `systemctl status`.
std::string status_text(Core& core) {
  const auto& enforcement = core.enforcement();
  const bool is_degraded = enforcement.mode() == Mode::enforced && !enforcement.is_in_force();
  std::string mode = enforcement.mode() == Mode::observer ? "Observer mode" : "Enforced mode";
  if (is_degraded) {
    const auto exit = enforcement.report().last_exit;
    mode += " is not in force (" + (exit ? to_text(*exit) : "no reason given") + ")";
  }
  std::string text = fmt::format("{}; clients: {}, workers: {}", mode, core.clients().all().size(),
                                 core.clients().worker_count());
  std::ranges::replace(text, '\n', ' ');  // a message of systemd has a line for each variable
  return text;
}

class Loop {
 public:
  /// All parts read `config`, which changes when the file is read again.
  Loop(const Options& options, Config& config, Core& core, Server& server, asio::io_context& io,
       asio::signal_set& signals)
      : options_(options),
        config_(config),
        core_(core),
        server_(server),
        io_(io),
        signals_(signals),
        tick_(io),
        kernel_events_(io),
        exits_(io),
        alarm_(io) {}

  void run() {
    wait_for_signal();
    tick();
    on_readable(kernel_events_, core_.kernel().event_fd(), [this] { core_.events().drain(); });
    on_readable(exits_, core_.clients().exits_fd(),
                [this] { core_.clients().remove_dead_workers(); });
    on_readable(alarm_, core_.enforcement().alarm_fd(), [this] { core_.handle_alarm(); });
    server_.start();
    asio::post(io_, [] { notify_service_manager("READY=1"); });  // once the loop answers
    io_.run();
  }

 private:
  void wait_for_signal() {
    signals_.async_wait([this](boost::system::error_code error, int signal) {
      if (error) return;
      if (signal != SIGHUP) return stop(signal);
      reload();
      wait_for_signal();
    });
  }

  void reload() {
    notify_service_manager("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_ns() / 1000));
    if (auto fresh = options_.read_config())
      apply_config(config_, std::move(*fresh), core_);
    else
      log::error("{}; the configuration stays as it was", fresh.error().text());
    notify_service_manager("READY=1");
  }

  void stop(int signal) {
    log::info("stopping on signal {}", signal);
    notify_service_manager("STOPPING=1");
    core_.announce_stop();
    server_.stop();
    io_.stop();
  }

  void tick() {
    core_.tick();
    server_.check_patience();
    // sent only here, because it promises that this loop watches the scheduler
    if (is_watched_) notify_service_manager("WATCHDOG=1");
    if (auto text = status_text(core_); text != shown_status_) {
      shown_status_ = std::move(text);
      notify_service_manager("STATUS=" + shown_status_);
    }
    tick_.expires_after(std::chrono::seconds(1));
    tick_.async_wait([this](boost::system::error_code error) {
      if (!error) tick();
    });
  }

  template <class Then>
  void on_readable(stream_descriptor& watched, int fd, Then then) {
    if (fd < 0) return;
    // a copy, because stream_descriptor closes its descriptor
    watched.assign(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    wait_on(watched, then);
  }

  template <class Then>
  void wait_on(stream_descriptor& watched, Then then) {
    watched.async_wait(stream_descriptor::wait_read,
                       [this, &watched, then](boost::system::error_code error) {
                         if (error) return;
                         then();
                         wait_on(watched, then);
                       });
  }

  const Options& options_;
  Config& config_;
  Core& core_;
  Server& server_;
  asio::io_context& io_;
  asio::signal_set& signals_;
  const bool is_watched_ = is_watched();
  std::string shown_status_;
  asio::steady_timer tick_;
  stream_descriptor kernel_events_, exits_, alarm_;
};

}  // namespace

void run(const Options& options) {
  Config config = options.config;
  log::set_level(config.log_level);
  ::umask(022);
  raise_descriptor_limit();
  ::signal(SIGPIPE, SIG_IGN);  // the log's reader may go away; the daemon stays
  asio::io_context io(1);
  // from here on a signal waits for the loop: it must not leave a socket or a scheduler behind
  asio::signal_set signals(io, SIGTERM, SIGINT, SIGHUP);
  Listener listener = take_socket(config.socket);  // before the kernel side: two daemons never load
  RunningKernel kernel(options);
  Core core(config, *kernel, access_rules(config), make_global());
  set_first_mode(config.mode, core);
  Router router;
  router.add_interface("io.morpheus.Transport", varlink::kTransportInterface);
  add_worker_service(router, core);
  add_control_service(router, core);
  if (const auto listening = listener.listen(config.socket_mode); !listening)
    throw StartError(status_for(listening.error()), listening.error().text());
  const auto metrics = serve_metrics(config, io, core);
  Server server(io, listener.fd(), core, router);
  if (config.scope == Scope::workers) log::warn(kScopeWarning);
  log::info("morpheusd {} ready: backend {}, mode {}, socket {}", MORPHEUS_PROJECT_VERSION,
            core.kernel().name(), mode_name(core.enforcement().mode()), config.socket);
  Loop(options, config, core, server, io, signals).run();
}

}  // namespace morpheus::daemon
