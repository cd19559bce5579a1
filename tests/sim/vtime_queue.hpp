// SPDX-License-Identifier: GPL-2.0-only
// Threads that wait, in the order of virtual time: a dispatch queue (DSQ), or a fair runqueue.
#pragma once

#include <cstdint>
#include <set>

namespace morpheus::sim {

struct Thread;

class VtimeQueue {
 public:
  struct Entry {
    std::uint64_t vtime;
    std::uint64_t order;
    Thread* thread;
  };

  Entry insert(std::uint64_t vtime, Thread* thread) {
    return *entries_.insert({vtime, order_++, thread}).first;
  }
  void erase(const Entry& entry) { entries_.erase(entry); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] auto begin() const { return entries_.begin(); }
  [[nodiscard]] auto end() const { return entries_.end(); }

 private:
  struct Before {  // virtual times wrap
    bool operator()(const Entry& a, const Entry& b) const {
      return a.vtime != b.vtime ? static_cast<std::int64_t>(a.vtime - b.vtime) < 0
                                : a.order < b.order;
    }
  };
  std::set<Entry, Before> entries_;
  std::uint64_t order_ = 0;
};

}  // namespace morpheus::sim
