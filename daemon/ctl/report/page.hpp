// SPDX-License-Identifier: GPL-2.0-only
// What morpheusctl report writes: a page for a browser, in one file, which loads nothing. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/ctl/blame/report.hpp"
#include "daemon/ctl/report/timeline.hpp"

namespace morpheus::ctl {

struct ReportPage {
  BlameReport blame;
  const Timeline& timeline;
  std::string why_no_blame;  ///< empty: there is some
  Json status_before, status_after;
  std::string host, date;
  std::uint64_t events = 0, events_lost = 0;
};

[[nodiscard]] std::string draw_page(const ReportPage& page);

}  // namespace morpheus::ctl
