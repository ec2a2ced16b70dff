#include "certs/error.h"

namespace rp::certs {

std::string_view name(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::missing:
      return "missing";
    case ErrorKind::unreadable:
      return "unreadable";
    case ErrorKind::loose_permissions:
      return "loose_permissions";
    case ErrorKind::malformed:
      return "malformed";
    case ErrorKind::mismatch:
      return "mismatch";
    case ErrorKind::untrusted:
      return "untrusted";
    case ErrorKind::expired:
      return "expired";
    case ErrorKind::not_yet_valid:
      return "not_yet_valid";
    case ErrorKind::no_name:
      return "no_name";
    case ErrorKind::bad_argument:
      return "bad_argument";
    case ErrorKind::exists:
      return "exists";
    case ErrorKind::write_failed:
      return "write_failed";
    case ErrorKind::internal:
      return "internal";
  }
  return "unknown";
}

int exit_code(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::bad_argument:
      return 2;
    case ErrorKind::expired:
    case ErrorKind::not_yet_valid:
      return 6;
    case ErrorKind::exists:
    case ErrorKind::write_failed:
    case ErrorKind::internal:
      return 1;
    default:
      return 5;
  }
}

}  // namespace rp::certs
