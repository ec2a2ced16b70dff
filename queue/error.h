#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/system/result.hpp>

namespace rp::queue {

/// Why an operation of the engine had no effect.
enum class Errc : std::uint8_t {
  full = 1,         ///< a message or byte limit would be passed; nothing was stored
  unknown_message,  ///< no message of that id is in any channel
  stale_lease,      ///< the message is there, but the lease is no longer its current one
  unknown_channel,  ///< the operation needs a channel that exists, and this one does not
  bad_argument,     ///< outside of what the function accepts; the detail names it
  cancelled,        ///< the waiter was cancelled; it holds no message
  overloaded,       ///< a bound of the engine itself was reached; try again later
  disk_full,        ///< nothing can be added until space is freed; reads and deletes go on
  read_only,        ///< a write or sync failed; nothing can be changed until a restart
  damaged,          ///< the stored bytes do not fit their checksum
  unreadable,       ///< the stored bytes cannot be read now; they are left as they are
  unsupported,      ///< the data directory was written by a newer version
  in_use,           ///< another process has the data directory open
  unusable,         ///< the data directory cannot be opened or created
  closed,           ///< the engine is closing
};

/// Stable word for logs, metrics and problem documents, for example "stale_lease".
std::string_view name(Errc code) noexcept;

struct Error {
  Errc code{};
  std::string detail{};       ///< one sentence that names what was wrong and what is accepted
  std::string channel{};      ///< `full`: which channel had no room; empty for all of them
  std::uint64_t present = 0;  ///< `full`: messages or bytes that are there now
  std::uint64_t limit = 0;    ///< `full`: the most that there may be
  bool of_bytes = false;      ///< `full`: whether the two count body bytes instead of messages
  bool of_all = false;        ///< `full`: whether they are those of all channels together
};

/// A value, or the reason why there is none.
template <class T>
using Result = boost::system::result<T, Error>;
using Status = Result<void>;

/// What Result::value() throws when there is none.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& at);

}  // namespace rp::queue
