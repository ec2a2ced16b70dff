#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "pipe/core/session.h"
#include "tests/pipe/memory_pipe.h"

/// Random operations on two sessions, compared with what anyone can predict of a call: it ends
/// exactly once, or never after a cancel; its handler got its body; its caller gets the handler's
/// answer; and two good sessions never end by themselves. Links that break and others that take
/// their place change nothing of that.
namespace rp::pipe {
namespace {

using namespace test;

/// Different for each call, and cheap to make again for comparing.
std::string body_of(std::size_t call, std::size_t bytes) {
  std::string body(bytes, '\0');
  std::size_t state = call * 2654435761U + 1;
  for (std::size_t at = 0; at < bytes; at += sizeof state) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    const std::size_t mixed = state ^ state >> 29;
    std::memcpy(body.data() + at, &mixed, std::min(sizeof mixed, bytes - at));
  }
  return body;
}

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed), pipe_(limits(), limits()) { adopt(); }

  void run(std::size_t operations) {
    for (std::size_t i = 0; i < operations && !::testing::Test::HasFailure(); ++i) {
      one_operation();
      check_sessions();
    }
  }

  /// Lets everything end and looks at what is left.
  void finish() {
    const auto quiet = [this] {
      return pipe_.dialler.session().stats().calls_out_in_flight == 0 &&
             pipe_.acceptor.session().stats().calls_out_in_flight == 0;
    };
    if (!pipe_.joined()) pipe_.join();
    pipe_.settle();
    for (int round = 0; round < 10'000 && !quiet(); ++round) {
      while (!running_.empty()) answer();
      for (auto& [call, made] : made_) upload(made);
      consume();
      pipe_.advance(10ms);
    }
    check_sessions();
    EXPECT_TRUE(quiet()) << "a call never ends";
    for (const auto& [call, made] : made_) judge(made);
    for (End* end : {&pipe_.dialler, &pipe_.acceptor}) {
      EXPECT_EQ(end->session().stats().calls_in_in_flight, 0U);
    }
  }

  /// Breaks the link in the midst of everything.
  void lose() {
    lost_ = true;
    pipe_.lose();
    while (!running_.empty()) answer();  // to nobody
    for (const auto& [call, made] : made_) judge(made);
  }

 private:
  struct Made {
    std::size_t number;
    End* by;
    CallTicket ticket;
    std::shared_ptr<RecordingSink> sink;
    std::size_t body_bytes;
    std::string expected;  // what the handler's answer holds
    std::size_t consumed = 0;
    bool cancelled = false;
    bool submitted = false;
    bool failed_by_handler = false;
    bool follows = false;      // the body is given piece by piece
    std::size_t uploaded = 0;  // of a body that follows
    bool upload_ended = false;
    bool has_deadline = false;
  };
  /// A call that a handler works on.
  struct Running {
    FakeTarget::Received received;
    std::size_t call;
    bool begun = false;
  };

  static Limits limits() {
    Limits l;
    l.calls_in_flight_max = 50;
    l.session_window_bytes = 1 << 20;
    l.outbound_bytes_max = 1 << 20;
    return l;
  }

  std::size_t pick(std::size_t below) { return random_() % below; }
  bool chance(unsigned percent) { return pick(100) < percent; }
  std::size_t size() {
    switch (pick(6)) {
      case 0:
        return 0;
      case 1:
        return pick(300'000);
      case 2:
        return 65'530 + pick(12);
      default:
        return pick(2000);
    }
  }
  End& any_end() { return chance(50) ? pipe_.dialler : pipe_.acceptor; }

  void adopt() {
    for (End* end : {&pipe_.dialler, &pipe_.acceptor}) {
      end->target.answer = [this](FakeTarget::Received& received) {
        const std::size_t call = std::stoul(received.event.noun);
        Made& made = made_.at(call);
        EXPECT_FALSE(made.submitted) << "a handler ran twice";
        EXPECT_FALSE(made.cancelled && made.sink->endings > 0);
        made.submitted = true;
        EXPECT_TRUE(received.body == body_of(call, made.body_bytes)) << "of call " << call;
        running_.push_back({received, call});
      };
    }
  }

  void one_operation() {
    switch (pick(13)) {
      case 0:
      case 1:
        return make_call();
      case 2:
      case 3:
      case 4:
        return answer();
      case 5:
        return cancel();
      case 6:
        return consume();
      case 7:
        return pipe_.advance(std::chrono::microseconds(pick(50'000)));
      case 8:
        return upload_some();
      case 9:
        return break_or_join();
      default:
        pipe_.exchange(any_end(), 1 + pick(100'000), 1 + pick(20'000));
    }
  }

  void make_call() {
    End& from = any_end();
    const std::size_t call = next_call_++;
    Event e = event(std::to_string(call));
    Made made{};
    made.number = call;
    made.by = &from;
    made.body_bytes = size();
    made.has_deadline = chance(30);
    if (made.has_deadline) e.deadline = pipe_.now + std::chrono::milliseconds(1 + pick(2000));
    made.follows = e.body_follows = chance(25);
    const std::string body = made.follows ? std::string() : body_of(call, made.body_bytes);
    made.sink = from.call(e, body, pipe_.now, /*consume=*/chance(70));
    made.ticket = from.last_ticket();
    if (made.ticket.id == 0) {
      EXPECT_EQ(from.last_refusal(), pipe_.joined() ? Errc::overloaded : Errc::peer_unavailable);
      EXPECT_EQ(made.sink->endings, 0);
      return;
    }
    made_.emplace(call, std::move(made));
  }

  /// Gives some more of the body that the call owes.
  void upload(Made& made) {
    if (!made.follows || made.upload_ended) return;
    const std::string body = body_of(made.number, made.body_bytes);
    const std::size_t room = kStreamWindowBytes - (made.uploaded - made.sink->body_consumed_bytes);
    const std::size_t bytes = std::min({body.size() - made.uploaded, 1 + pick(50'000), room});
    if (bytes > 0) made.by->session().body_data(made.ticket, body.substr(made.uploaded, bytes));
    made.uploaded += bytes;
    if (made.uploaded < body.size()) return;
    made.upload_ended = true;
    made.by->session().body_end(made.ticket);
  }

  void upload_some() {
    for (auto& [call, made] : made_) {
      if (made.follows && chance(50)) upload(made);
    }
  }

  void break_or_join() {
    if (!pipe_.joined()) return pipe_.join();
    pipe_.break_link(pick(100'000), pick(100'000));
  }

  void answer() {
    if (running_.empty()) return;
    const std::size_t index = pick(running_.size());
    Running& running = running_[index];
    Made& made = made_.at(running.call);
    ReplySink& sink = *running.received.sink;
    if (chance(10)) {
      made.failed_by_handler = true;
      sink.fail({Errc::handler_failed, "chance"});
    } else if (running.begun && chance(50)) {
      sink.end();
    } else if (running.begun) {
      const std::string piece = body_of(running.call + made.expected.size(), 1 + size());
      made.expected += piece;
      return sink.data(piece);
    } else if (chance(30)) {
      running.begun = true;
      return sink.begin({});
    } else {
      made.expected = body_of(running.call + 7, size());
      sink.reply({}, std::string(made.expected));
    }
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
  }

  Made* any_made() {
    if (made_.empty()) return nullptr;
    auto at = made_.lower_bound(pick(next_call_));
    return at == made_.end() ? nullptr : &at->second;
  }

  void cancel() {
    Made* made = any_made();
    if (!made) return;
    made->cancelled = made->cancelled || made->sink->endings == 0;
    made->by->session().cancel(made->ticket);
  }

  void consume() {
    for (auto& [call, made] : made_) {
      if (made.sink->on_data || made.sink->body.size() == made.consumed) continue;
      const std::size_t bytes = 1 + pick(made.sink->body.size() - made.consumed);
      made.consumed += bytes;
      made.by->session().consumed(made.ticket, bytes);
    }
  }

  void check_sessions() {
    for (End* end : {&pipe_.dialler, &pipe_.acceptor}) {
      ASSERT_FALSE(end->ended()) << end->why().message() << ": " << end->session().end_detail();
      ASSERT_LE(end->session().stats().calls_in_in_flight, 50U);
    }
    if (made_.size() > 2000) forget_ended();
  }

  /// Judges what has ended; calls that a handler still holds stay for comparing.
  void forget_ended() {
    std::map<std::size_t, bool> held;
    for (const Running& running : running_) held[running.call] = true;
    for (auto it = made_.begin(); it != made_.end();) {
      const Made& made = it->second;
      const bool over = made.cancelled || made.sink->endings > 0;
      if (!over || held.contains(it->first) || (made.cancelled && !made.submitted)) {
        ++it;
        continue;
      }
      judge(made);
      it = made_.erase(it);
    }
  }

  void judge(const Made& made) const {
    EXPECT_EQ(made.sink->endings, made.cancelled ? 0 : 1);
    if (made.sink->answered()) {
      EXPECT_TRUE(made.submitted);
      EXPECT_TRUE(made.sink->body == made.expected)
          << made.sink->body.size() << " bytes instead of " << made.expected.size();
    }
    if (!made.sink->failure) return;
    switch (made.sink->failure->code) {
      case Errc::handler_failed:
        EXPECT_TRUE(made.failed_by_handler);
        break;
      case Errc::deadline_exceeded:
        EXPECT_TRUE(made.has_deadline);
        break;
      case Errc::overloaded:
        EXPECT_FALSE(made.submitted);
        break;
      case Errc::not_sent:
        EXPECT_TRUE(lost_);
        EXPECT_FALSE(made.submitted) << "a repetition would run it twice";
        break;
      case Errc::session_lost:
        EXPECT_TRUE(lost_);
        break;
      default:
        ADD_FAILURE() << made.sink->failure->detail;
    }
  }

  std::mt19937_64 random_;
  MemoryPipe pipe_;
  std::map<std::size_t, Made> made_;
  std::vector<Running> running_;
  std::size_t next_call_ = 0;
  bool lost_ = false;
};

std::size_t operations() {
  const char* wanted = std::getenv("RP_MODEL_OPERATIONS");
  return wanted ? std::stoul(wanted) : 3000;
}

/// Short runs by the thousand reach other corners than a few long ones.
TEST(SessionModelSeedsTest, EveryCallEndsExactlyOnce) {
  const char* wanted = std::getenv("RP_MODEL_SEEDS");
  const std::uint64_t seeds = wanted ? std::stoull(wanted) : 10'000;
  const std::uint64_t first = std::random_device{}();
  std::cout << "seeds from " << first << "\n";
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    Model model(seed);
    model.run(60);
    model.finish();
    ASSERT_FALSE(HasFailure()) << "RP_MODEL_SEED=" << seed << " RP_MODEL_OPERATIONS=60";
  }
}

class SessionModelTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(SessionModelTest, EveryCallEndsExactlyOnce) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  Model model(GetParam());
  model.run(operations());
  model.finish();
}

TEST_P(SessionModelTest, EveryCallEndsExactlyOnceWhenTheLinkBreaks) {
  std::mt19937_64 random(GetParam());
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t seed = random();
    SCOPED_TRACE("seed " + std::to_string(seed));
    Model model(seed);
    model.run(random() % 200);
    model.lose();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SessionModelTest, ::testing::Range<std::uint64_t>(1, 7));

TEST(SessionModelNewSeedTest, EveryCallEndsExactlyOnce) {
  const char* wanted = std::getenv("RP_MODEL_SEED");
  const std::uint64_t seed = wanted ? std::stoull(wanted) : std::random_device{}();
  std::cout << "RP_MODEL_SEED=" << seed << "\n";
  SCOPED_TRACE("RP_MODEL_SEED=" + std::to_string(seed));
  Model model(seed);
  model.run(operations());
  model.finish();
}

}  // namespace
}  // namespace rp::pipe
