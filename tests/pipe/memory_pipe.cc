#include "tests/pipe/memory_pipe.h"

#include <algorithm>
#include <utility>

#include <gtest/gtest.h>

#include "pipe/core/head.h"

namespace rp::pipe::test {
namespace {

Session::Options options(Session::Side side, Limits limits, Heartbeat heartbeat) {
  Session::Options o;
  o.side = side;
  o.node = side == Session::Side::dialler ? "dialler" : "acceptor";
  o.software = "restpipe/test";
  o.origin = {.node = "peer", .address = "127.0.0.1", .port = 4711};
  o.limits = limits;
  o.heartbeat = heartbeat;
  return o;
}

}  // namespace

std::vector<SentFrame> frames(std::string_view bytes) {
  std::vector<SentFrame> all;
  FrameDecoder decoder(Limits::kFrameBytesMax);
  decoder.push(bytes);
  while (auto next = decoder.next()) {
    if (!*next) {
      ADD_FAILURE() << "a session sent a bad frame: " << next->error().message();
      break;
    }
    all.push_back({(*next)->header, std::string((*next)->payload)});
  }
  EXPECT_EQ(decoder.buffered_bytes(), 0U) << "a session sent half a frame";
  return all;
}

std::string frame(FrameType type, std::uint8_t flags, CallId call, std::string_view payload,
                  std::uint16_t head_bytes) {
  std::string bytes(kFrameHeaderBytes, '\0');
  encode_header({.payload_bytes = static_cast<std::uint32_t>(payload.size()),
                 .type = static_cast<std::uint8_t>(type),
                 .flags = flags,
                 .head_bytes = head_bytes,
                 .call = call},
                bytes.data());
  bytes += payload;
  return bytes;
}

End::End(Session::Side side, Limits limits, Heartbeat heartbeat, Clock::time_point now) {
  SessionOwner& owner = *this;
  session_.emplace(options(side, limits, heartbeat), target, home, owner, now);
}

std::shared_ptr<RecordingSink> End::call(Event event, std::string body, Clock::time_point now,
                                         bool consume) {
  auto sink = std::make_shared<RecordingSink>();
  const Result<CallTicket> ticket = session_->call(event, std::move(body), sink, now);
  last_refusal_ = ticket ? error_code() : ticket.error();
  last_ticket_ = ticket ? *ticket : CallTicket{};
  if (consume && ticket) {
    sink->on_data = [this, ticket = *ticket](std::size_t bytes) {
      session_->consumed(ticket, bytes);
    };
  }
  return sink;
}

std::string End::produce(Clock::time_point now, std::size_t bytes_max) {
  std::string out;
  session_->produce(out, bytes_max, now);
  return out;
}

void End::end(error_code why) {
  if (ended_) return;
  ended_ = why;
  session_->end();
}

MemoryPipe::MemoryPipe(Limits dialler_limits, Limits acceptor_limits, Heartbeat heartbeat)
    : dialler(Session::Side::dialler, dialler_limits, heartbeat, now),
      acceptor(Session::Side::acceptor, acceptor_limits, heartbeat, now) {
  settle();
}

void MemoryPipe::finish(End& end, error_code why) {
  // The last word, a GOODBYE, still reaches the peer; then the link is gone for both.
  const std::string last = end.produce(now);
  end.end(why);
  End& peer = &end == &dialler ? acceptor : dialler;
  const bool cut = &end == &dialler ? cut_to_acceptor_ : cut_to_dialler_;
  if (peer.ended() || cut) return;
  error_code heard = peer.session().receive(last, now);
  peer.end(heard ? heard : make_error_code(Errc::link_lost));
}

void MemoryPipe::deliver(End& to, std::string_view bytes) {
  while (!bytes.empty() && !to.ended()) {
    const std::string_view piece = bytes.substr(0, piece_bytes_);
    bytes.remove_prefix(piece.size());
    if (auto ec = to.session().receive(std::string(piece), now)) finish(to, ec);
  }
}

bool MemoryPipe::move(End& from, End& to, bool cut, std::size_t& moved) {
  bool any = from.home.run_posted();
  if (from.ended()) return any;
  const std::string bytes = from.produce(now);
  if (!bytes.empty()) {
    any = true;
    moved += bytes.size();
    if (!cut) deliver(to, bytes);
  } else if (from.session().drained()) {
    finish(from, Errc::draining);
    return true;
  }
  return any;
}

void MemoryPipe::exchange(End& from, std::size_t bytes_max, std::size_t piece_bytes) {
  from.home.run_posted();
  if (from.ended()) return;
  const std::string bytes = from.produce(now, bytes_max);
  const std::size_t usual = std::exchange(piece_bytes_, piece_bytes);
  deliver(&from == &dialler ? acceptor : dialler, bytes);
  piece_bytes_ = usual;
}

void MemoryPipe::settle() {
  for (bool any = true; any;) {
    any = move(dialler, acceptor, cut_to_acceptor_, moved_to_acceptor);
    any = move(acceptor, dialler, cut_to_dialler_, moved_to_dialler) || any;
  }
}

void MemoryPipe::advance(Clock::duration time) {
  const auto until = now + time;
  settle();
  for (int turns = 0; turns < 100'000; ++turns) {
    auto next = Clock::time_point::max();
    for (End* end : {&dialler, &acceptor}) {
      if (!end->ended()) next = std::min(next, end->session().wake_at());
    }
    if (next > until) {
      now = until;
      return;
    }
    now = std::max(now, next);
    for (End* end : {&dialler, &acceptor}) {
      if (end->ended() || end->session().wake_at() > now) continue;
      if (auto ec = end->session().on_time(now)) finish(*end, ec);
    }
    settle();
  }
  FAIL() << "a session asks to be woken without end";
}

void MemoryPipe::lose() {
  dialler.end(Errc::link_lost);
  acceptor.end(Errc::link_lost);
}

LonePeer::LonePeer(Session::Side side, Limits limits, Heartbeat heartbeat)
    : end(side, limits, heartbeat, now) {}

Hello LonePeer::default_hello() {
  Hello hello;
  hello.node = "test";
  hello.calls_in_flight_max = 16;
  hello.stream_window_bytes = 64 * 1024;
  hello.session_window_bytes = 256 * 1024;
  hello.heartbeat_interval = 5000ms;
  return hello;
}

void LonePeer::open(Hello hello) {
  ASSERT_EQ(sends(encode_hello(hello)), error_code());
  says();
}

error_code LonePeer::sends_call(CallId id, std::string_view body, bool whole) {
  std::string bytes;
  append_call(event(), body, whole, id, now, bytes);
  return sends(bytes);
}

std::vector<SentFrame> LonePeer::says() {
  std::string all;
  for (;;) {
    const std::string some = end.produce(now);
    if (some.empty()) break;
    all += some;
  }
  return frames(all);
}

Errc LonePeer::says_goodbye() {
  const std::vector<SentFrame> said = says();
  if (said.empty() || said.back().type() != FrameType::goodbye) return {};
  const Result<Goodbye> goodbye = decode_goodbye(said.back().payload);
  EXPECT_TRUE(goodbye);
  EXPECT_FALSE(goodbye->drain);
  return goodbye->reason.code;
}

}  // namespace rp::pipe::test
