#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "tests/product/harness/lab.h"

namespace rp::product {

/// A server node and the message queue at the root of its front-end.
class LingerTest : public LabTest {
 protected:
  void start(std::vector<std::string> flags = {}) {
    server_ = make_server({.flags = std::move(flags)});
    ASSERT_TRUE(server_->ready());
  }

  std::string url(const std::string& path) const { return server_->base() + path; }
  Response get(const std::string& path) const { return curl({url(path)}, 20s); }
  /// With curl's content type for forms.
  Response form(const std::string& path, const std::string& data) const {
    return curl({"--data-raw", data, url(path)});
  }
  Response post(const std::string& path, const std::string& body,
                const std::string& type = "text/plain") const {
    return curl(
        {"--data-binary", data_file("body", body), "-H", "Content-Type: " + type, url(path)});
  }
  Response send(const std::string& method, const std::string& path) const {
    return curl({"-X", method, url(path)});
  }

  /// Puts and returns the id; 0 if that failed.
  std::int64_t put(const std::string& path, const std::string& body = "x") const;
  /// Takes what is ready; returns the id, 0 for nothing.
  std::int64_t take(const std::string& channel) const;
  boost::json::value json(const std::string& path) const;
};

/// 400 with `text` as the reason and in the body, or another status.
void expect_error(const Response& response, const std::string& text, int status = 400);

/// Whole seconds pass, of which this test needs some to see what Linger's seconds do.
void let_pass(TestClock::duration time);

}  // namespace rp::product
