// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/ctl/console/flame_graph.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <map>

#include "daemon/ctl/console/columns.hpp"
#include "daemon/ctl/console/markup.hpp"
#include "daemon/ctl/console/render.hpp"

namespace morpheus::ctl {
namespace {

constexpr double kWidth = 1200, kRow = 18, kMargin = 10, kTitle = 30;
constexpr double kColumn = 6.7;  // of the font

struct Box {
  std::uint64_t weight_ns = 0;
  std::map<std::string, Box> callees;

  [[nodiscard]] std::size_t depth() const {
    std::size_t deepest = 0;
    for (const auto& [name, callee] : callees) deepest = std::max(deepest, 1 + callee.depth());
    return deepest;
  }
};

class Picture {
 public:
  explicit Picture(const Box& root)
      : root_(root), height_(kTitle + kRow * static_cast<double>(root.depth()) + kMargin) {}

  std::string draw(const std::string& title) {
    svg_ = fmt::format(
        R"(<svg xmlns="http://www.w3.org/2000/svg" class="flames" viewBox="0 0 {0} {1}" width="{0}" height="{1}">
<style>
.flames {{ background: #fff; font: 11px monospace }}
.flames text {{ fill: #111; pointer-events: none }}
.flames .title {{ font-size: 14px }}
.flames rect {{ stroke: #fff; stroke-width: 0.5 }}
.flames rect:hover {{ stroke: #111; stroke-width: 1.5 }}
@media (prefers-color-scheme: dark) {{
  .flames {{ background: #16181d }}
  .flames .title {{ fill: #eee }}
  .flames rect {{ stroke: #16181d }}
  .flames rect:hover {{ stroke: #eee }}
}}
</style>
<text class="title" x="{2}" y="20">{3}</text>
)",
        kWidth, height_, kMargin, escaped(title));
    add_callees(root_, kMargin, 0);
    return svg_ + "</svg>\n";
  }

 private:
  void add_callees(const Box& box, double x, double row) {
    for (const auto& [name, callee] : box.callees) {
      const double share =
          static_cast<double>(callee.weight_ns) / static_cast<double>(root_.weight_ns);
      const double width = share * (kWidth - 2 * kMargin);
      if (share >= 0.001) {
        add_box(name, callee, x, row, width, share);
        add_callees(callee, x, row + 1);
      }
      x += width;
    }
  }

  void add_box(const std::string& name, const Box& box, double x, double row, double width,
               double share) {
    const double y = height_ - kMargin - kRow * (row + 1);
    // warm, and the same for a function wherever it is
    const auto hue = std::hash<std::string>{}(name) % 50;
    svg_ += fmt::format("<g><title>{}: {}, {:.1f} %</title>\n", escaped(name),
                        short_time(box.weight_ns), 100 * share);
    svg_ += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\" fill=\"hsl({}, 80%, "
        "65%)\"/>",
        x, y, width, kRow - 1, hue);
    const auto columns = static_cast<std::size_t>(std::max(0.0, (width - 4) / kColumn));
    if (columns >= 3)
      svg_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", x + 2, y + kRow - 6,
                          escaped(cut(name, columns)));
    svg_ += "</g>\n";
  }

  const Box& root_;
  double height_;
  std::string svg_;
};

}  // namespace

std::string flame_graph(const std::string& title, const std::vector<WeighedStack>& stacks) {
  Box root;
  for (const auto& stack : stacks) {
    Box* at = &root;
    at->weight_ns += stack.weight_ns;
    for (const auto& name : stack.frames) {
      at = &at->callees[name];
      at->weight_ns += stack.weight_ns;
    }
  }
  return Picture(root).draw(title);
}

}  // namespace morpheus::ctl
