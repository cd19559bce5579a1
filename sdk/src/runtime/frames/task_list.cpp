// SPDX-License-Identifier: GPL-2.0-only
#include "sdk/src/runtime/frames/task_list.hpp"

#include <link.h>
#include <pthread.h>

#include <bit>
#include <cerrno>
#include <csignal>
#include <iostream>
#include <map>
#include <mutex>
#include <ostream>
#include <semaphore>
#include <string>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "sdk/src/runtime/frames/frame_memory.hpp"

namespace morpheus::sdk {
namespace {

struct Names {
  std::mutex lock;
  std::unordered_map<const void*, std::string> of;
  static Names& instance() {
    static Names* const names = new Names;
    return *names;
  }
};

/// Whether `at` points into a loaded program or library, where it stays readable.
bool is_static(const void* at) {
  struct Query {
    std::uintptr_t at;
    bool is_found;
  } query{reinterpret_cast<std::uintptr_t>(at), false};
  ::dl_iterate_phdr(
      [](dl_phdr_info* module, std::size_t, void* data) -> int {
        auto& query = *static_cast<Query*>(data);
        for (int i = 0; i < module->dlpi_phnum; ++i) {
          const ElfW(Phdr)& part = module->dlpi_phdr[i];
          const std::uintptr_t begin = module->dlpi_addr + part.p_vaddr;
          if (part.p_type == PT_LOAD && query.at >= begin &&
              query.at + sizeof(void*) * 3 <= begin + part.p_memsz)
            query.is_found = true;
        }
        return query.is_found ? 1 : 0;
      },
      &query);
  return query.is_found;
}

/// What std::source_location points at: two strings, then line and column.
bool is_location(const void* at) {
  if (!is_static(at)) return false;
  const auto* const strings = static_cast<const void* const*>(at);
  return is_static(strings[0]) && is_static(strings[1]);
}

/// "void f(f(int)::_Z1fi.Frame*)", as GCC calls the body of a coroutine, is "f(int)" for people.
std::string readable(const char* function) {
  std::string name = function;
  const auto end = name.find("::_Z");
  const auto begin = name.find('(');
  if (end == std::string::npos || begin == std::string::npos || begin > end) return name;
  return name.substr(begin + 1, end - begin - 1);
}

constexpr std::size_t kWhere = detail::kPromiseOffset + 2 * sizeof(void*);

std::source_location location_in(const char* frame) {
  void* stored = nullptr;
  static_assert(sizeof(std::source_location) == sizeof stored);
  __atomic_load(reinterpret_cast<void* const*>(frame + kWhere), &stored, __ATOMIC_RELAXED);
  return is_location(stored) ? std::bit_cast<std::source_location>(stored) : std::source_location();
}

const void* waiter_in(const char* frame) {
  std::uintptr_t stored = 0;
  __atomic_load(
      reinterpret_cast<const std::uintptr_t*>(frame + detail::kPromiseOffset + sizeof(void*)),
      &stored, __ATOMIC_RELAXED);
  constexpr std::uintptr_t kContext = 5;
  constexpr std::uintptr_t kFlags = 7;
  return (stored & kContext) == 0 ? reinterpret_cast<const void*>(stored & ~kFlags) : nullptr;
}

}  // namespace

task_info describe_task(const detail::job* job) {
  task_info info{.id = job,
                 .name = {},
                 .function = {},
                 .where = {},
                 .has_ended = false,
                 .awaited_by = nullptr};
  if (job == nullptr) return info;
  const auto* const frame = reinterpret_cast<const char*>(job);
  info.where = location_in(frame);
  info.has_ended = __atomic_load_n(&job->resume, __ATOMIC_RELAXED) == nullptr;
  info.function = readable(info.where.function_name());
  info.awaited_by = waiter_in(frame);
  Names& names = Names::instance();
  const std::scoped_lock lock(names.lock);
  if (const auto name = names.of.find(job); name != names.of.end()) info.name = name->second;
  if (info.name.empty() && info.awaited_by != nullptr)
    if (const auto name = names.of.find(info.awaited_by); name != names.of.end())
      info.name = name->second;
  return info;
}

}  // namespace morpheus::sdk

namespace morpheus {

detail::task_name::task_name(const void* task, std::string name) : task_(task) {
  auto& names = sdk::Names::instance();
  const std::scoped_lock lock(names.lock);
  names.of[task] = std::move(name);
}

detail::task_name::~task_name() {
  auto& names = sdk::Names::instance();
  const std::scoped_lock lock(names.lock);
  names.of.erase(task_);
}

void detail::each_task(void (*take)(void* to, const task_info& each), void* to) {
  sdk::FrameStore::instance().each_in_use([&](char* frame) {
    take(to, sdk::describe_task(reinterpret_cast<const detail::job*>(frame)));
  });
}

void dump_tasks(std::ostream& out) {
  const std::vector<task_info> all = tasks();
  std::multimap<const void*, const task_info*> waited_for;
  std::unordered_set<const void*> known;
  for (const task_info& task : all) {
    known.insert(task.id);
    waited_for.emplace(task.awaited_by, &task);
  }
  const auto write = [&out](const task_info& task, int depth) {
    out << std::string(static_cast<std::size_t>(2 * depth), ' ');
    if (!task.name.empty() && depth == 0) out << '"' << task.name << "\" ";
    if (task.has_ended)
      out << "ended, not yet taken\n";
    else if (task.where.line() == 0)
      out << "not begun\n";
    else
      out << task.function << " at " << task.where.file_name() << ':' << task.where.line() << '\n';
  };
  out << "morpheus: " << all.size() << " tasks\n";
  for (const task_info& task : all) {
    if (task.awaited_by != nullptr && known.contains(task.awaited_by)) continue;
    const task_info* next = &task;
    for (int depth = 0; next != nullptr && depth < 64; ++depth) {
      write(*next, depth);
      const auto inner = waited_for.find(next->id);
      next = inner == waited_for.end() ? nullptr : inner->second;
    }
  }
  out.flush();
}

void dump_tasks_on(int signal) {
  static std::counting_semaphore<>& requests = *new std::counting_semaphore<>(0);
  [[maybe_unused]] static const bool started = [] {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread([] {
      pthread_setname_np(pthread_self(), "morpheus-dump");
      while (true) {
        requests.acquire();
        dump_tasks(std::cerr);
      }
    }).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return true;
  }();
  struct sigaction action{};
  action.sa_handler = [](int) { requests.release(); };  // an atomic add and a futex(2)
  action.sa_flags = SA_RESTART;
  if (::sigaction(signal, &action, nullptr) != 0)
    throw std::system_error(errno, std::generic_category(), "dump tasks on a signal");
}

}  // namespace morpheus
