#pragma once

#include <functional>
#include <memory>
#include <string>

#include "rest/address.h"
#include "rest/exchange.h"
#include "rest/router.h"

namespace rp::node {

/// Takes one exchange with the address that its path stands for; called on an I/O thread.
using EventHandler =
    std::function<void(const std::shared_ptr<rest::Exchange>&, rest::EventAddress)>;

/// Everything below `prefix`, "/server/" or "/client/", is an event with any method and a body that
/// may follow: `serve` takes it. A path that is no address, such as that of a client without a
/// name, is answered 404.
void add_event_route(rest::Router& router, std::string prefix, EventHandler serve);

}  // namespace rp::node
