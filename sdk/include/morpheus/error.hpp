// SPDX-License-Identifier: GPL-2.0-only
// How operations fail: the C ABI's errors as std::error_code, and what tasks throw when they are
// stopped, late, or several that failed.
#pragma once

#include <morpheus/error.h>

#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace morpheus {

/// The category of morpheus_error codes. Any thread.
[[nodiscard]] inline const std::error_category& error_category() noexcept {
  class category final : public std::error_category {
    [[nodiscard]] const char* name() const noexcept override { return "morpheus"; }
    [[nodiscard]] std::string message(int error) const override {
      return morpheus_error_text(error);
    }
  };
  static const category instance;
  return instance;
}

/// Throws std::system_error unless `error` is MORPHEUS_OK. `what` says what was tried.
inline void throw_on_error(int error, const char* what) {
  if (error != MORPHEUS_OK) throw std::system_error(error, error_category(), what);
}

/// What a wait throws that ended because its task was asked to stop. No failure: see
/// docs/errors.md for where it ends.
class cancelled : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "the operation was cancelled"; }
};

/// What with_timeout() throws.
class timed_out : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "the operation timed out"; }
};

/// Several tasks of a scope, a when_all() or a when_any() have failed; a lone failure is thrown as
/// it is. Has all that are not `cancelled`, in the order in which they came. The first is also what
/// std::rethrow_if_nested() throws. Copies share the list.
class failures : public std::exception, public std::nested_exception {
 public:
  /// Within a handler of the first one.
  explicit failures(std::vector<std::exception_ptr> all)
      : all_(std::make_shared<const contents>(std::move(all))) {}

  [[nodiscard]] const std::vector<std::exception_ptr>& all() const noexcept { return all_->errors; }
  /// What each of them says.
  [[nodiscard]] const char* what() const noexcept override { return all_->what.c_str(); }

 private:
  struct contents {
    explicit contents(std::vector<std::exception_ptr> all) : errors(std::move(all)) {
      what = std::to_string(errors.size()) + " tasks failed";
      for (const auto& error : errors) {
        what += what.find(':') == std::string::npos ? ": " : "; ";
        try {
          std::rethrow_exception(error);
        } catch (const std::exception& known) {
          what += known.what();
        } catch (...) {
          what += "unknown exception";
        }
      }
    }
    std::vector<std::exception_ptr> errors;
    std::string what;
  };
  std::shared_ptr<const contents> all_;
};

namespace detail {

/// How tasks that end together failed. For one thread at a time.
class failure_list {
 public:
  /// Keeps `error` unless it is `cancelled`; the list of a `failures` is appended to this one.
  void add(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const cancelled&) {
    } catch (const failures& several) {
      errors_.insert(errors_.end(), several.all().begin(), several.all().end());
    } catch (...) {
      errors_.push_back(error);
    }
  }
  [[nodiscard]] bool empty() const noexcept { return errors_.empty(); }
  /// Throws what it has, if it has something; it is empty afterwards.
  void throw_all() {
    if (errors_.empty()) return;
    std::vector<std::exception_ptr> all = std::exchange(errors_, {});
    try {
      std::rethrow_exception(all.front());
    } catch (...) {
      if (all.size() == 1) throw;
      throw failures(std::move(all));
    }
  }

 private:
  std::vector<std::exception_ptr> errors_;
};

}  // namespace detail

}  // namespace morpheus
