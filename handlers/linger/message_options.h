#pragma once

#include <boost/system/result.hpp>

#include "handlers/linger/answer.h"
#include "handlers/linger/parameters.h"
#include "queue/channel_settings.h"
#include "queue/message.h"

/// What parameters say about messages, subscriptions and channels. The first parameter that is
/// wrong, in the order of the API's description, is the one that is named. Linger's own parameters
/// are refused in Linger's words; of others it is said what is accepted.
namespace rp::handlers::linger {

template <class T>
using Read = boost::system::result<T, Refused>;

/// Most bytes of a message.
inline constexpr std::size_t kMessageBytesMax = 256'000;

/// Everything but the body.
Read<queue::NewMessage> read_message(const Parameters& parameters);

Read<queue::Subscription> read_subscription(const Parameters& parameters);

/// Everything but the body.
Read<queue::Publication> read_publication(const Parameters& parameters);

/// What a channel's settings are called, divided by blanks.
inline constexpr std::string_view kSettings = "timeout deliver linger hlm hlm-bytes dead window";

/// All settings of a channel; those that are not given are the defaults.
Read<queue::ChannelSettings> read_settings(const Parameters& parameters);

/// A parameter that is a number of things, `least` to `most`; `otherwise` when it is not given.
Read<std::uint64_t> read_count(const Parameters& parameters, std::string_view name,
                               std::uint64_t least, std::uint64_t most, std::uint64_t otherwise);

/// Whether no time at all is a time.
enum class Zero : std::uint8_t { accepted, refused };

/// A parameter in seconds, with fractions; nothing when it is not given. `what` names it to people.
Read<std::optional<queue::Milliseconds>> read_seconds(const Parameters& parameters,
                                                      std::string_view name, std::string_view what,
                                                      Zero zero = Zero::accepted);

/// The length of a lease that is asked for; nothing when none is given, or the parameter is empty.
Read<std::optional<queue::Milliseconds>> read_lease_length(const Parameters& parameters);

/// Refuses parameters other than `accepted`, which are divided by blanks. `what` says what they
/// are: "parameter".
std::optional<Refused> refuse_others(const Parameters& parameters, std::string_view accepted,
                                     std::string_view what);

/// The body of a message is not empty and not too long.
std::optional<Refused> refuse_body(std::size_t bytes);

[[noreturn]] void throw_exception_from_error(const Refused& refused,
                                             const boost::source_location& at);

}  // namespace rp::handlers::linger
