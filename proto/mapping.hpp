// SPDX-License-Identifier: GPL-2.0-only
// Ownership of one shared memory mapping.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <utility>

#include "proto/result.hpp"

namespace morpheus {

/// Owns `size()` bytes of mapped memory at `data()`, or nothing. Move-only; a move keeps the
/// address.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }

  /// Maps the first `size` bytes of `fd`, shared. `protection` is PROT_READ or
  /// PROT_READ|PROT_WRITE.
  [[nodiscard]] static Result<Mapping> shared(int fd, std::size_t size, int protection) {
    void* at = ::mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return fail_errno("map " + std::to_string(size) + " bytes");
    Mapping mapping;
    mapping.data_ = at;
    mapping.size_ = size;
    return mapping;
  }

  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] explicit operator bool() const { return data_ != nullptr; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace morpheus
