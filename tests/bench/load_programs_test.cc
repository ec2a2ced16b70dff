#include <filesystem>

#include <gtest/gtest.h>

#include "tests/bench/bench_program.h"
#include "tests/product/harness/lab.h"

/// Programs that serve and load: what they call and carry comes back whole, or they say so.
namespace rp::product {
namespace {

class LoadProgramsTest : public ::testing::TestWithParam<const char*> {
 protected:
  /// One directory with a server's and a client's identity.
  std::string identity() {
    authority_.client();
    const auto both = authority_.server();
    for (const char* file : {"restpipe.client.crt.pem", "restpipe.client.key.pem"}) {
      std::filesystem::copy_file(authority_.client() / file, both / file,
                                 std::filesystem::copy_options::overwrite_existing);
    }
    return both.string();
  }

  /// What the program prints when it loads another one that serves.
  Finished load(std::vector<std::string> arguments) {
    Process serving(bench_command(GetParam(), {"serve", "--identity", identity()}));
    const auto line = serving.out_line("port=");
    if (!line) return {.exit_code = -1, .out = {}, .err = "it does not serve: " + serving.err()};
    std::vector<std::string> all{"load", "--identity", identity(), "--port", line->substr(5)};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run(bench_command(GetParam(), std::move(all)), 60s);
  }

  Authority authority_;
};

TEST_P(LoadProgramsTest, SayWhatIsWrongWithTheirCommandLine) {
  const auto finished = run(bench_command(GetParam(), {"load", "--identity", "somewhere"}));
  EXPECT_GT(finished.exit_code, 99);
  EXPECT_TRUE(contains(finished.err, "--port is required")) << finished.err;
}

INSTANTIATE_TEST_SUITE_P(Programs, LoadProgramsTest,
                         ::testing::Values("raw", "raw_bulk", "pipe", "pipe_bulk", "mixed"));

class EchoProgramsTest : public LoadProgramsTest {};
class BulkProgramsTest : public LoadProgramsTest {};

TEST_P(EchoProgramsTest, AnswerManyCallsAtOnce) {
  const auto loaded = load({"--in-flight", "12", "--ms", "1000"});
  EXPECT_EQ(loaded.exit_code, 0) << loaded.err;
  EXPECT_GT(figure(loaded.out, "calls_per_s"), 0) << loaded.out;
  EXPECT_GT(figure(loaded.out, "p50_us"), 0) << loaded.out;
  EXPECT_GE(figure(loaded.out, "p99_us"), figure(loaded.out, "p50_us")) << loaded.out;
}

TEST_P(EchoProgramsTest, SayWhenNobodyServes) {
  const auto loaded = run(
      bench_command(GetParam(), {"load", "--identity", identity(), "--port", "1", "--ms", "100"}));
  EXPECT_EQ(loaded.exit_code, 1);
  EXPECT_TRUE(contains(loaded.err, "refused")) << loaded.err;
}

INSTANTIATE_TEST_SUITE_P(Programs, EchoProgramsTest, ::testing::Values("raw", "pipe", "mixed"));

TEST_P(BulkProgramsTest, PassBytesInBothDirections) {
  for (const char* direction : {"down", "up"}) {
    SCOPED_TRACE(direction);
    const auto loaded = load({"--direction", direction, "--ms", "1000"});
    EXPECT_EQ(loaded.exit_code, 0) << loaded.err;
    EXPECT_GT(figure(loaded.out, "mib_per_s"), 0) << loaded.out;
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, BulkProgramsTest, ::testing::Values("raw_bulk", "pipe_bulk"));

class MixedLoadTest : public LoadProgramsTest {};

TEST_P(MixedLoadTest, CountsStreamsAndHeartbeatsBesideTheCalls) {
  const auto loaded = load({"--in-flight", "3", "--ms", "1000"});
  EXPECT_EQ(loaded.exit_code, 0) << loaded.err;
  EXPECT_GT(figure(loaded.out, "bulk_mib_per_s"), 0) << loaded.out;
  EXPECT_GT(figure(loaded.out, "heartbeats"), 0) << loaded.out;
  EXPECT_GT(figure(loaded.out, "heartbeat_worst_ms"), 0) << loaded.out;
}

INSTANTIATE_TEST_SUITE_P(Programs, MixedLoadTest, ::testing::Values("mixed"));

TEST(BenchRunTest, SaysWhatItDoesAndRefusesWhatItDoesNotKnow) {
  const std::string script = RP_SOURCE_DIR "/tools/bench/run";
  const auto help = run({.argv = {script, "--help"}, .directory = "/"});
  EXPECT_EQ(help.exit_code, 0) << help.err;
  EXPECT_TRUE(help.out.starts_with("usage: tools/bench/run")) << help.out;
  const auto wrong = run({.argv = {script, "--frobnicate"}, .directory = "/"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_TRUE(contains(wrong.err, "--frobnicate")) << wrong.err;
}

}  // namespace
}  // namespace rp::product
