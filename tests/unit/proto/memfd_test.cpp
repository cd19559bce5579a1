// SPDX-License-Identifier: GPL-2.0-only
#include "proto/memfd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstring>

#include "proto/mapping.hpp"

using namespace morpheus;

namespace {
constexpr std::size_t kPage = 4096;
int punch(int fd) { return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPage); }
}  // namespace

TEST_CASE("a memfd is private to its owner and closed on exec") {
  auto fd = create_memfd("test", kPage);
  REQUIRE(fd);
  struct stat info{};
  REQUIRE(::fstat(fd->get(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(info.st_size == kPage);
  CHECK((::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a read_only memfd is written through the earlier mapping only") {
  auto fd = create_memfd("test", kPage);
  REQUIRE(fd);
  auto ours = Mapping::shared(fd->get(), kPage, PROT_READ | PROT_WRITE);
  REQUIRE(ours);
  REQUIRE(seal_memfd(fd->get(), SealKind::read_only));

  CHECK_FALSE(Mapping::shared(fd->get(), kPage, PROT_READ | PROT_WRITE));
  CHECK(::ftruncate(fd->get(), 0) == -1);
  CHECK(::ftruncate(fd->get(), 2 * kPage) == -1);
  CHECK(punch(fd->get()) == -1);
  CHECK(::pwrite(fd->get(), "x", 1, 0) == -1);
  CHECK(::fcntl(fd->get(), F_ADD_SEALS, F_SEAL_WRITE) == -1);

  auto theirs = Mapping::shared(fd->get(), kPage, PROT_READ);
  REQUIRE(theirs);
  std::strcpy(static_cast<char*>(ours->data()), "seen");
  CHECK(std::strcmp(static_cast<const char*>(theirs->data()), "seen") == 0);
  CHECK(::mprotect(theirs->data(), kPage, PROT_READ | PROT_WRITE) == -1);
}

TEST_CASE("a writable memfd keeps its size") {
  auto fd = create_memfd("test", kPage);
  REQUIRE(fd);
  REQUIRE(seal_memfd(fd->get(), SealKind::writable));
  CHECK(::ftruncate(fd->get(), 0) == -1);
  CHECK(::ftruncate(fd->get(), 2 * kPage) == -1);
  CHECK(Mapping::shared(fd->get(), kPage, PROT_READ | PROT_WRITE));
}

TEST_CASE("a read-only descriptor of a memfd cannot be mapped writable") {
  auto fd = create_memfd("test", kPage);
  REQUIRE(fd);
  auto reader = reopen_read_only(fd->get());
  REQUIRE(reader);
  CHECK((::fcntl(reader->get(), F_GETFL) & O_ACCMODE) == O_RDONLY);
  CHECK_FALSE(Mapping::shared(reader->get(), kPage, PROT_READ | PROT_WRITE));
  CHECK(Mapping::shared(reader->get(), kPage, PROT_READ));
}
