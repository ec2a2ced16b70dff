#include "pipe/line.h"

#include <cstddef>
#include <limits>
#include <string>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

namespace rp::pipe {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::size_t kNoBound = std::numeric_limits<std::size_t>::max();

TEST(LineTest, WithinAMachineTakesTheLeast) {
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  tcp::socket one(context);
  one.connect(acceptor.local_endpoint());
  tcp::socket other = acceptor.accept();
  one.set_option(tcp::no_delay(true));
  other.set_option(tcp::no_delay(true));
  // One quick round trip of so many is enough.
  std::string message(1000, 'x');
  for (int i = 0; i < 1000; ++i) {
    asio::write(one, asio::buffer(message));
    asio::read(other, asio::buffer(message));
    asio::write(other, asio::buffer(message));
    asio::read(one, asio::buffer(message));
  }
  EXPECT_EQ(bytes_that_fill_the_line(one.native_handle(), 1, kNoBound), 1U);
}

TEST(LineTest, IsWithoutABoundWhereTheKernelSaysNothing) {
  EXPECT_EQ(bytes_that_fill_the_line(-1, 1, kNoBound), kNoBound);
}

}  // namespace
}  // namespace rp::pipe
