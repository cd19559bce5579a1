// SPDX-License-Identifier: GPL-2.0-only
// The compiled part of Boost.Asio, once (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/impl/src.hpp>
