// SPDX-License-Identifier: GPL-2.0-only
// generator<T>: a coroutine whose values are taken one by one, in a range-for loop. It is no task:
// it runs within its caller, and cannot wait.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

namespace morpheus {

///     morpheus::generator<int> up_to(int n) { for (int i = 0; i < n; ++i) co_yield i; }
///     for (int i : up_to(3)) use(i);
///
/// Each value is a reference to what was yielded, valid until the next step. An exception leaves
/// the loop. Iterate it once; movable; for one thread at a time.
template <class T>
class [[nodiscard]] generator {
 public:
  using value_type = std::remove_cvref_t<T>;
  using reference = std::conditional_t<std::is_reference_v<T>, T, const T&>;

  class promise_type {
   public:
    generator get_return_object() noexcept {
      return generator(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    static std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(reference value) noexcept {
      value_ = std::addressof(value);
      return {};
    }
    static void return_void() noexcept {}
    void unhandled_exception() noexcept { error_ = std::current_exception(); }
    template <class A>
    void await_transform(A&&) = delete;  // a generator cannot wait

   private:
    friend generator;
    std::add_pointer_t<reference> value_ = nullptr;
    std::exception_ptr error_;
  };

  class iterator {
   public:
    using value_type = generator::value_type;
    using difference_type = std::ptrdiff_t;

    [[nodiscard]] reference operator*() const noexcept {
      return static_cast<reference>(*self_->frame_.promise().value_);
    }
    iterator& operator++() {
      self_->step();
      return *this;
    }
    void operator++(int) { ++*this; }
    [[nodiscard]] bool operator==(std::default_sentinel_t) const noexcept {
      return self_->is_done();
    }

   private:
    friend generator;  // makes iterators
    explicit iterator(generator& self) noexcept : self_(&self) {}
    generator* self_;
  };

  generator(generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  generator& operator=(generator&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~generator() {
    if (frame_) frame_.destroy();
  }

  [[nodiscard]] iterator begin() {
    step();
    return iterator(*this);
  }
  [[nodiscard]] static std::default_sentinel_t end() noexcept { return {}; }

 private:
  friend iterator;
  explicit generator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  [[nodiscard]] bool is_done() const noexcept { return frame_.done(); }
  void step() {
    frame_.resume();
    if (frame_.promise().error_) std::rethrow_exception(std::exchange(frame_.promise().error_, {}));
  }

  std::coroutine_handle<promise_type> frame_;
};

}  // namespace morpheus
