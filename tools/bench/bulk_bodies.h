#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "pipe/event.h"

/// Bodies without an end through a pipe, in both directions, as fast as they are taken. All of it
/// on the pipe's I/O thread.
namespace rp::bench {

/// Answers events with the noun "down" by such a body, and takes the body of those with "up".
/// Null for other nouns: `sink` is still there then.
std::shared_ptr<pipe::CallControl> answer_bulk(const pipe::Event& event,
                                               std::shared_ptr<pipe::ReplySink>& sink);

/// Told for each piece that has passed; false ends the transfer.
using PiecePassed = std::function<bool(std::size_t bytes)>;

/// What a transfer that breaks off says of it.
using BulkFailed = std::function<void(const std::string& why)>;

/// Asks `peer` for an endless body and drops what comes.
void read_bulk(pipe::EventTarget& peer, PiecePassed passed, BulkFailed failed);

/// Sends `peer` an endless body.
void write_bulk(pipe::EventTarget& peer, PiecePassed passed, BulkFailed failed);

}  // namespace rp::bench
