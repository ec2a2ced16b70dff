#pragma once

#include <chrono>
#include <string>

#include <restpipe/sdk/restpipe.hpp>

namespace rp::handlers {

/// The methods that every new node answers: the time, and two arguments joined. The key of the
/// answer says on which side of the pipe it was made.
class Demo final {
 public:
  explicit Demo(rp::Host host)
      : side_(host.role() == rp::Role::server ? "server" : "client"),
        time_key_("time_from_" + side_),
        result_key_("result_from_" + side_) {}

  rp::Object get_time() const {
    using namespace std::chrono;
    const auto now = duration_cast<microseconds>(system_clock::now().time_since_epoch());
    return {{time_key_, static_cast<double>(now.count()) / 1e6}};
  }

  rp::Object get_cat(const std::string& first, const std::string& second) const {
    return {{result_key_, first + second}};
  }

  static void methods(rp::Methods<Demo>& m) {
    m.add("get_time", &Demo::get_time, rp::idempotent);
    m.add("get_cat", &Demo::get_cat, rp::idempotent);
  }

 private:
  const std::string side_;
  const std::string time_key_;
  const std::string result_key_;
};

}  // namespace rp::handlers
