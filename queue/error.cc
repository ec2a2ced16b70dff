#include "queue/error.h"

#include <stdexcept>

#include <boost/throw_exception.hpp>

namespace rp::queue {

std::string_view name(Errc code) noexcept {
  switch (code) {
    case Errc::full:
      return "full";
    case Errc::unknown_message:
      return "unknown_message";
    case Errc::stale_lease:
      return "stale_lease";
    case Errc::unknown_channel:
      return "unknown_channel";
    case Errc::bad_argument:
      return "bad_argument";
    case Errc::cancelled:
      return "cancelled";
    case Errc::overloaded:
      return "overloaded";
    case Errc::disk_full:
      return "disk_full";
    case Errc::read_only:
      return "read_only";
    case Errc::damaged:
      return "damaged";
    case Errc::unreadable:
      return "unreadable";
    case Errc::unsupported:
      return "unsupported";
    case Errc::in_use:
      return "in_use";
    case Errc::unusable:
      return "unusable";
    case Errc::closed:
      return "closed";
  }
  return "unknown";
}

void throw_exception_from_error(const Error& error, const boost::source_location& at) {
  boost::throw_exception(std::runtime_error(std::string(name(error.code)) + ": " + error.detail),
                         at);
}

}  // namespace rp::queue
