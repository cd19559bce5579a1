// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/state/blame.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "daemon/config/names.hpp"

namespace morpheus::daemon {
namespace {

using nlohmann::json;

constexpr std::size_t kQueued = 1024;    // records for one viewer; a sample has two kilobytes
constexpr std::size_t kMostAtOnce = 16;  // in one reply

const morpheus_blame_head& head_of(const BlameRecord& record) {
  return std::visit([](const auto& r) -> const morpheus_blame_head& { return r.head; }, record);
}

std::string hex(const __u8 (&bytes)[MORPHEUS_BUILD_ID_BYTES]) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const auto byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// What a thread calls itself may be any bytes, and JSON takes only UTF-8: the kernel's names are
// shown as ASCII.
std::string name_of(const char (&name)[MORPHEUS_NAME_BYTES]) {
  std::string text(name, strnlen(name, sizeof(name)));
  std::ranges::replace_if(text, [](unsigned char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

json frames_json(const morpheus_blame_sample& sample) {
  auto frames = json::array();
  if (sample.stack_bytes <= 0) return frames;
  const auto count = std::min<std::size_t>(
      static_cast<std::size_t>(sample.stack_bytes) / sizeof(morpheus_blame_frame),
      MORPHEUS_BLAME_FRAMES);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& frame = sample.frames[i];
    if (frame.status == MORPHEUS_FRAME_BUILD_ID)
      frames.push_back({{"build_id", hex(frame.build_id)}, {"offset", frame.at}});
    else if (frame.status == MORPHEUS_FRAME_ADDRESS)
      frames.push_back({{"address", frame.at}});
  }
  return frames;
}

}  // namespace

bool BlameViewer::may_see(const BlameEntry& entry) const {
  if (sees_all) return true;
  const auto* sample = std::get_if<morpheus_blame_sample>(&entry.record);
  // the process may have become another user's since it attached
  return entry.uid == uid && (sample == nullptr || sample->head.uid == uid);
}

json sample_json(const BlameEntry& entry, const morpheus_blame_sample& sample) {
  return {{"time_ns", sample.head.time_ns},
          {"worker_id", sample.head.generation},
          {"pid", entry.pid},
          {"tid", entry.tid},
          {"uid", entry.uid},
          {"process", entry.process},
          {"thread", name_of(sample.thread)},
          {"seq", sample.head.seq},
          {"cause", blame_cause_name(sample.cause)},
          {"age_ns", sample.age_ns},
          {"skipped", sample.skipped},
          {"cpu", sample.cpu},
          {"critical", sample.critical != 0},
          {"frames", frames_json(sample)}};
}

json wait_json(const morpheus_blame_wait& wait, const BlameViewer& viewer) {
  json shown{{"time_ns", wait.head.time_ns},
             {"worker_id", wait.head.generation},
             {"seq", wait.head.seq},
             {"waited_ns", wait.waited_ns}};
  if (viewer.may_name(wait))
    shown["waiter"] = {{"tid", wait.tid},
                       {"pid", wait.pid},
                       {"thread", name_of(wait.thread)},
                       {"process", name_of(wait.process)},
                       {"cgroup_id", wait.cgroup_id}};
  return shown;
}

/// One viewer's records.
class Blame::Queue final : public Subscription {
 public:
  explicit Queue(BlameViewer viewer) : viewer_(viewer) {}

  void push(const std::shared_ptr<const BlameEntry>& entry) {
    if (!viewer_.may_see(*entry)) return;
    if (entries_.size() < kQueued)
      entries_.push_back(entry);
    else
      ++dropped_;
  }

  [[nodiscard]] json take(std::size_t most) override {
    auto samples = json::array(), waits = json::array();
    for (most = std::min(most, kMostAtOnce); most > 0 && !entries_.empty();
         --most, entries_.pop_front()) {
      const BlameEntry& entry = *entries_.front();
      if (const auto* sample = std::get_if<morpheus_blame_sample>(&entry.record))
        samples.push_back(sample_json(entry, *sample));
      else
        waits.push_back(wait_json(std::get<morpheus_blame_wait>(entry.record), viewer_));
    }
    return {{"samples", std::move(samples)},
            {"waits", std::move(waits)},
            {"dropped", std::exchange(dropped_, 0)}};
  }
  [[nodiscard]] bool empty() const override { return entries_.empty() && dropped_ == 0; }

 private:
  BlameViewer viewer_;
  std::deque<std::shared_ptr<const BlameEntry>> entries_;
  std::uint64_t dropped_ = 0;
};

Result<std::shared_ptr<Subscription>> Blame::subscribe(BlameViewer viewer) {
  forget_the_gone();
  if (queues_.empty())
    if (auto wanted = kernel_.want_blame([this](const BlameRecord& record) { publish(record); });
        !wanted)
      return tl::unexpected(wanted.error());
  auto queue = std::make_shared<Queue>(viewer);
  queues_.push_back(queue);
  return queue;
}

void Blame::forget_the_gone() {
  if (std::erase_if(queues_, [](const auto& weak) { return weak.expired(); }) > 0 &&
      queues_.empty())
    (void)kernel_.want_blame({});
}

void Blame::publish(const BlameRecord& record) {
  const auto& head = head_of(record);
  const auto [client, worker] = clients_.owner_of(head.slot, head.generation);
  if (client == nullptr) return;  // gone meanwhile: whose it was is not known any more
  const auto entry = std::make_shared<const BlameEntry>(
      BlameEntry{record, client->pid, worker->tid, client->uid, client->name});
  for (const auto& weak : queues_)
    if (const auto queue = weak.lock()) queue->push(entry);
}

void Blame::wake_all() {
  // a copy: a viewer that is woken may find its peer gone and end
  const auto queues = queues_;
  for (const auto& weak : queues)
    if (const auto queue = weak.lock(); queue && !queue->empty() && queue->wake) queue->wake();
}

}  // namespace morpheus::daemon
