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

Hello hello_of(const Limits& limits) {
  Hello hello;
  hello.node = "peer";
  hello.software = "restpipe/test";
  hello.calls_in_flight_max = limits.calls_in_flight_max;
  hello.stream_window_bytes = limits.stream_window_bytes;
  hello.session_window_bytes = limits.session_window_bytes;
  return hello;
}

End::End(Session::Side side, Limits limits, Heartbeat heartbeat, Hello peer,
         Clock::time_point now) {
  SessionOwner& owner = *this;
  session_.emplace(options(side, limits, heartbeat), std::move(peer), target, home, owner, now);
  EXPECT_EQ(session_->attach(0, now), error_code());
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

void End::end(error_code why, Clock::time_point now) {
  if (ended_) return;
  ended_ = why;
  session_->end(now);
}

MemoryPipe::MemoryPipe(Limits dialler_limits, Limits acceptor_limits, Heartbeat heartbeat)
    : dialler(Session::Side::dialler, dialler_limits, heartbeat, hello_of(acceptor_limits), now),
      acceptor(Session::Side::acceptor, acceptor_limits, heartbeat, hello_of(dialler_limits), now) {
}

void MemoryPipe::finish(End& end, error_code why) {
  // The last word, if there is one, still reaches the peer; then the link is gone for both.
  const std::string last = end.produce(now);
  end.end(why, now);
  End& peer = &end == &dialler ? acceptor : dialler;
  const bool cut = &end == &dialler ? cut_to_acceptor_ : cut_to_dialler_;
  if (peer.ended() || cut) return;
  error_code heard = peer.session().receive(last, now);
  peer.end(heard ? heard : make_error_code(Errc::link_lost), now);
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
  if (from.ended() || !joined_) return any;
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
  if (from.ended() || !joined_) return;
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
  dialler.end(Errc::link_lost, now);
  acceptor.end(Errc::link_lost, now);
}

void MemoryPipe::break_after(End& from, End& to, std::size_t bytes) {
  const std::string sent = from.produce(now);
  deliver(to, std::string_view(sent).substr(0, bytes));
}

void MemoryPipe::break_link(std::size_t to_acceptor, std::size_t to_dialler) {
  break_after(dialler, acceptor, to_acceptor);
  break_after(acceptor, dialler, to_dialler);
  joined_ = false;
  dialler.session().detach(now);
  acceptor.session().detach(now);
}

void MemoryPipe::join() {
  joined_ = true;
  const std::uint64_t dialler_has = dialler.session().received_frames();
  const std::uint64_t acceptor_has = acceptor.session().received_frames();
  EXPECT_EQ(dialler.session().attach(acceptor_has, now), error_code());
  EXPECT_EQ(acceptor.session().attach(dialler_has, now), error_code());
}

LonePeer::LonePeer(Session::Side side, Limits limits, Heartbeat heartbeat, Hello hello)
    : end(side, limits, heartbeat, std::move(hello), now) {}

Hello LonePeer::default_hello() {
  Hello hello;
  hello.node = "test";
  hello.calls_in_flight_max = 16;
  hello.stream_window_bytes = 64 * 1024;
  hello.session_window_bytes = 256 * 1024;
  hello.heartbeat_interval = 5000ms;
  return hello;
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
