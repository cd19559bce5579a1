// SPDX-License-Identifier: GPL-2.0-only
#include "tests/programs/daemon_process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "proto/varlink_socket.hpp"

namespace morpheus::test {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

pid_t spawn(const std::vector<std::string>& command, const std::string& out, const std::string& err,
            int uid = -1) {
  std::vector<char*> argv;
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves no daemon behind
  constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND;
  ::dup2(::open(out.c_str(), kFlags, 0600), STDOUT_FILENO);
  ::dup2(::open(err.c_str(), kFlags, 0600), STDERR_FILENO);
  // opened before the change of user: only ours may be able to enter the build directory
  const int file = ::open(argv[0], O_RDONLY | O_CLOEXEC);
  const auto id = static_cast<uid_t>(uid);
  if (uid >= 0 && (::setgroups(0, nullptr) != 0 || ::setgid(id) != 0 || ::setuid(id) != 0))
    ::_exit(126);
  ::fexecve(file, argv.data(), environ);
  ::_exit(127);
}

int wait_for(pid_t pid) {
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

std::string program(const std::string& path) {
  const char* build = std::getenv("MORPHEUS_BUILD_DIR");
  return (build != nullptr ? build : MORPHEUS_BUILD_ROOT) + ("/" + path);
}

std::chrono::seconds patience() {
  const char* seconds = std::getenv("MORPHEUS_TEST_PATIENCE");
  return std::chrono::seconds(seconds != nullptr ? std::atoi(seconds) : 120);
}

Json read_json(const std::string& path) { return parse_json(read_file(path)); }

TempDir::TempDir() {
  char name[] = "/tmp/morpheus-test-XXXXXX";
  path = ::mkdtemp(name);
  ::chmod(path.c_str(), 0755);
}

TempDir::~TempDir() { std::filesystem::remove_all(path); }

Finished run_program(const std::vector<std::string>& command, int uid) {
  const TempDir dir;
  const std::string out = dir.path + "/out", err = dir.path + "/err";
  Finished finished;
  finished.status = wait_for(spawn(command, out, err, uid));
  finished.out = read_file(out);
  finished.err = read_file(err);
  return finished;
}

DaemonProcess::DaemonProcess(std::vector<std::string> extra, const Json& limits)
    : extra_(std::move(extra)) {
  configure({{"limits", limits}});
  start();
}

DaemonProcess::DaemonProcess(const Json& config, Backend backend) : backend_(backend) {
  configure(config);
  start();
}

void DaemonProcess::configure(const Json& config) const {
  std::ofstream(dir_.path + "/config.json") << json_text(config);
}

DaemonProcess::~DaemonProcess() {
  if (pid_ <= 0) return;
  // a killed program writes down nothing of what it counted
  ::kill(pid_, std::getenv("MORPHEUS_COVERAGE") != nullptr ? SIGTERM : SIGKILL);
  ::waitpid(pid_, nullptr, 0);  // without an assertion: it may be between two tests
}

void DaemonProcess::start() {
  launch();
  await_answer();
}

void DaemonProcess::launch() {
  std::vector<std::string> command{program("daemon/morpheusd"), "--backend",
                                   backend_ == Backend::bpf ? "bpf" : "fake", "--socket", socket()};
  command.insert(command.end(), {"--config", dir_.path + "/config.json"});
  command.insert(command.end(), extra_.begin(), extra_.end());
  pid_ = spawn(command, dir_.path + "/log", dir_.path + "/log");
}

void DaemonProcess::await_answer() {
  const bool answers = eventually([&] { return varlink::connect_unix(socket()).has_value(); });
  INFO(log());
  REQUIRE(answers);
}

int DaemonProcess::stop(int signal) {
  ::kill(pid_, signal);
  return wait_for(std::exchange(pid_, -1));
}

std::string DaemonProcess::log() const { return read_file(dir_.path + "/log"); }

Client DaemonProcess::connect() const {
  auto client = Client::connect(socket());
  REQUIRE(client);
  return std::move(*client);
}

Finished DaemonProcess::ctl(std::vector<std::string> arguments, int uid) const {
  arguments.insert(arguments.begin(), {program("daemon/ctl/morpheusctl"), "--socket", socket()});
  return run_program(arguments, uid);
}

Attached::Attached(const DaemonProcess& daemon, int workers) : client(daemon.connect()) {
  auto answer = client.call(
      "io.morpheus.Worker.Attach",
      {{"version_major", MORPHEUS_SCB_VERSION_MAJOR}, {"version_minor", 0}, {"workers", workers}});
  REQUIRE(answer);
  reply = std::move(answer->parameters);
  fds = std::move(answer->fds);
  REQUIRE(fds.size() == 3);
  const std::size_t size = reply["capacity"].get<std::size_t>() * MORPHEUS_SCB_LINE_SIZE;
  const auto map = [&](const char* name, std::size_t bytes, int protection) {
    auto mapping = Mapping::shared(fds.at(reply[name]).get(), bytes, protection);
    REQUIRE(mapping);
    return std::move(*mapping);
  };
  kernel_lines = map("kernel_lines", size, PROT_READ);
  runtime_lines = map("runtime_lines", size, PROT_READ | PROT_WRITE);
  global_block = map("global_block", sizeof(morpheus_global_pressure), PROT_READ);
}

int Attached::register_thread(pid_t tid) {
  auto answer = client.call("io.morpheus.Worker.Register", {{"tid", tid}});
  REQUIRE(answer);
  return answer->parameters["slot"];
}

void Attached::run(int slot) {
  REQUIRE(client.call("io.morpheus.Worker.SetState", {{"slot", slot}, {"state", "RUNNING"}}));
}

const volatile morpheus_scb_kernel& Attached::kernel(int slot) const {
  return static_cast<const volatile morpheus_scb_kernel*>(kernel_lines.data())[slot];
}

volatile morpheus_scb_runtime& Attached::runtime(int slot) const {
  return static_cast<volatile morpheus_scb_runtime*>(runtime_lines.data())[slot];
}

const volatile morpheus_global_pressure& Attached::global() const {
  return *static_cast<const volatile morpheus_global_pressure*>(global_block.data());
}

}  // namespace morpheus::test
