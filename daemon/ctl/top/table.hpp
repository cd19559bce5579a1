// SPDX-License-Identifier: GPL-2.0-only
// The columns of top: as many as the terminal has room for, those first that say which worker is in
// the way. Pure.
#pragma once

#include <string>
#include <vector>

#include "daemon/ctl/top/picture.hpp"

namespace morpheus::ctl {

struct TableColumn;

class Table {
 public:
  Table(std::size_t columns, bool grouped);
  [[nodiscard]] std::string head() const;
  [[nodiscard]] std::string line(const TopRow& row, const AskSystem& ask) const;

 private:
  struct Place {
    const TableColumn* column;
    std::size_t width;
  };
  template <class Cell>
  [[nodiscard]] std::string joined(const Cell& cell) const;

  std::vector<Place> places_;
  bool names_threads_ = false;  ///< there is room for a thread's name
  bool asks_ = false;           ///< there is room for what the system knows
};

/// At most five columns, with a decimal where it tells something.
[[nodiscard]] std::string rate_text(double per_second);

}  // namespace morpheus::ctl
