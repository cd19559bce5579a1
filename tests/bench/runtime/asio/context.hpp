// SPDX-License-Identifier: GPL-2.0-only
// The forms of Asio that its users take when speed counts: executors by their own type, not
// type-erased, and no locks where there is one thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>

#include "../subject.hpp"

namespace bench {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;
using Await = asio::use_awaitable_t<Executor>;
template <class T = void>
using Task = asio::awaitable<T, Executor>;

/// The context of a program with one thread.
struct Alone : asio::io_context {
  Alone() : io_context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE) {}
};

inline std::size_t number(std::string_view text) { return std::stoul(std::string(text)); }

}  // namespace bench
