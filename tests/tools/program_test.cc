#include "tools/restpipe/program.h"

#include <system_error>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/program_run.h"

namespace rp::tools {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST(ProgramTest, EachMistakeIsOneLineAndExitCodeTwo) {
  struct Row {
    std::vector<std::string> arguments;
    const char* expected;
  };
  for (const Row& row :
       {Row{{}, "restpipe: A subcommand is required (see restpipe --help)"},
        Row{{"serve"}, "unknown argument serve; did you mean server? (see restpipe --help)"},
        Row{{"--bogus"}, "unknown argument --bogus (see restpipe --help)"},
        Row{{"server", "--lisen", "x"}, "unknown argument --lisen; did you mean --listen?"},
        Row{{"server", "--lisen=x"}, "unknown argument --lisen; did you mean --listen?"},
        Row{{"client", "--listen", "a:1"},
            "unknown argument --listen (see restpipe client --help)"},
        Row{{"server", "--listen"}, "--listen: takes exactly one value, once"},
        Row{{"server", "--data", "a", "--data", "b"}, "--data: takes exactly one value, once"},
        Row{{"server", "extra\n\x1b[1m"}, "unknown argument extra\\x0a\\x1b[1m (see"},
        Row{{"config"}, "A subcommand is required (see restpipe config --help)"},
        Row{{"config", "chek"}, "unknown argument chek; did you mean check?"},
        Row{{"call"}, "URL is required (see restpipe call --help)"},
        Row{{"completion", "tcsh"}, "tcsh not in {bash,zsh,fish}"},
        Row{{"nodes", "--output", "xml"}, "xml not in {"}}) {
    const Outcome outcome = run(row.arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, StartsWith("restpipe: "));
    EXPECT_THAT(outcome.err, HasSubstr(row.expected));
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(outcome.nodes, IsEmpty());
  }
}

TEST(ProgramTest, HelpGoesToStdoutAndShowsExamples) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--help"},
                                                    {"server", "--help"},
                                                    {"client", "-h"},
                                                    {"identity", "--help"},
                                                    {"call", "--help"},
                                                    {"nodes", "--help"},
                                                    {"config", "--help"},
                                                    {"completion", "--help"}}) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.out, HasSubstr("  restpipe "));
    EXPECT_THAT(outcome.err, IsEmpty());
  }
}

TEST(ProgramTest, VersionIsAFlagAndACommand) {
  EXPECT_THAT(run({"--version"}).out, StartsWith("restpipe "));
  const Outcome outcome = run({"version"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, StartsWith("restpipe "));
  EXPECT_THAT(outcome.out, HasSubstr("OpenSSL 3."));
}

TEST(ProgramTest, AStartupErrorEndsWithItsCodeAndOneLine) {
  const std::vector<const char*> argv{"restpipe", "server"};
  testing::internal::CaptureStderr();
  const int code = run_program(2, argv.data(),
                               {[](const node::Config&) -> int {
                                  throw node::StartupError(node::ExitCode::cannot_listen,
                                                           "127.0.0.1:1: in\nuse");
                                },
                                {}});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "restpipe: 127.0.0.1:1: in use\n");
  EXPECT_EQ(code, 4);
}

TEST(ProgramTest, SaysWhatBoundsTheThreadsWhereThereAreNoMore) {
  const std::vector<const char*> argv{"restpipe", "server"};
  testing::internal::CaptureStderr();
  const int code = run_program(
      2, argv.data(),
      {[](const node::Config&) -> int {
         throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
       },
       {}});
  EXPECT_EQ(
      testing::internal::GetCapturedStderr(),
      "restpipe: Resource temporarily unavailable: no further thread; ulimit -u and systemd's "
      "TasksMax bound them\n");
  EXPECT_EQ(code, 1);
}

TEST(ProgramTest, AnyOtherExceptionIsCodeOne) {
  const std::vector<const char*> argv{"restpipe", "client"};
  testing::internal::CaptureStderr();
  const int code = run_program(2, argv.data(), {{}, [](const node::Config&) -> int {
                                                  throw std::runtime_error("out of threads");
                                                }});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "restpipe: out of threads\n");
  EXPECT_EQ(code, 1);
}

}  // namespace
}  // namespace rp::tools
