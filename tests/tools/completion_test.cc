#include "tools/restpipe/completion.h"

#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/temporary_directory.h"
#include "tests/tools/program_run.h"

namespace rp::tools {
namespace {

using testing::HasSubstr;

/// What bash would offer for a command line whose last word is unfinished.
class BashCompletionTest : public testing::Test {
 protected:
  std::string offers(const std::vector<std::string>& words) {
    std::string script = run({"completion", "bash"}).out + "COMP_WORDS=(restpipe";
    for (const std::string& word : words) script += " '" + word + "'";
    script +=
        ")\nCOMP_CWORD=" + std::to_string(words.size()) + "\n_restpipe\necho \"${COMPREPLY[*]}\"\n";
    const auto file = directory_.write("try.bash", script);
    FILE* bash = ::popen(("bash " + file.string() + " 2>&1").c_str(), "r");
    std::string out;
    for (int c; (c = std::fgetc(bash)) != EOF;) out.push_back(static_cast<char>(c));
    EXPECT_EQ(::pclose(bash), 0);
    return out.substr(0, out.find_last_not_of('\n') + 1);
  }

  node::TemporaryDirectory directory_;
};

TEST_F(BashCompletionTest, OffersCommandsAndTheirSubcommands) {
  EXPECT_EQ(offers({"serv"}), "server");
  EXPECT_EQ(offers({"config", ""}).substr(0, 18), "check show default");
  EXPECT_EQ(offers({"identity", "rev"}), "revoke");
  EXPECT_EQ(offers({"config", "check", "cl"}), "client");
}

TEST_F(BashCompletionTest, OffersTheFlagsOfTheCommandAtHand) {
  EXPECT_EQ(offers({"server", "--list"}), "--listen");
  EXPECT_EQ(offers({"client", "--list"}), "");
  EXPECT_EQ(offers({"client", "--name", "x", "--serv"}), "--server");
}

TEST_F(BashCompletionTest, OffersTheValuesOfAFlagWithAChoice) {
  EXPECT_EQ(offers({"server", "--log-level", ""}), "debug info warning error");
  EXPECT_EQ(offers({"server", "--log-format", "j"}), "json");
  EXPECT_EQ(offers({"completion", "z"}), "zsh");
}

TEST(CompletionTest, KnowsEveryCommand) {
  CLI::App app;
  app.add_subcommand("a", "A")->add_subcommand("b", "B")->add_option("-x,--ex", "Ex");
  const auto commands = words_of(app);
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_EQ(commands[1].path, "a");
  EXPECT_EQ(commands[2].path, "a b");
}

TEST(CompletionTest, WritesTheOtherShellsToo) {
  EXPECT_THAT(run({"completion", "zsh"}).out, HasSubstr("#compdef restpipe\n"));
  const std::string fish = run({"completion", "fish"}).out;
  EXPECT_THAT(fish, HasSubstr("complete -c restpipe -n '__fish_use_subcommand' -f -a server -d "));
  EXPECT_THAT(fish, HasSubstr("-n '__fish_seen_subcommand_from server' -l log-level -x -a "
                              "'debug info warning error'"));
}

}  // namespace
}  // namespace rp::tools
