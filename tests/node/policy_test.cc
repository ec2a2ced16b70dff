#include "node/policy.h"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/temporary_directory.h"

namespace rp::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

/// "alpha>beta get time" as a question; "" for beta means the server.
struct Asked {
  std::string_view from;
  std::string_view to;
  std::string_view noun = "time";
  std::string_view verb = "get";
};

bool allows(const Policy& policy, const Asked& asked) {
  return policy.decide({asked.from, asked.to, asked.verb, asked.noun}).allowed;
}

std::string place(const Policy& policy, const Asked& asked) {
  return policy.place(policy.decide({asked.from, asked.to, asked.verb, asked.noun}));
}

Policy policy(const std::string& text) { return Policy::parse(text, "p.toml"); }

/// What is wrong with the text; fails when nothing is.
std::vector<std::string> problems(const std::string& text) {
  try {
    Policy::parse(text, "p.toml");
  } catch (const ConfigError& error) {
    return error.lines();
  }
  ADD_FAILURE() << "accepted: " << text;
  return {};
}

/// A rule that fits everything but for `lines`.
std::string rule(const std::string& decision, const std::string& lines) {
  return "[[rule]]\nfrom = '*'\ndecision = '" + decision + "'\n" + lines + "\n";
}

TEST(PolicyTest, WithoutAFileClientsCallTheServerAndNotEachOther) {
  const Policy built_in = Policy::built_in();
  EXPECT_TRUE(allows(built_in, {"alpha", ""}));
  EXPECT_FALSE(allows(built_in, {"alpha", "beta"}));
  EXPECT_FALSE(allows(built_in, {"alpha", "alpha"}));
  EXPECT_FALSE(allows(built_in, {"alpha", "server"})) << "a client may have that name";
  EXPECT_EQ(place(built_in, {"alpha", "beta"}), "built-in policy");
}

TEST(PolicyTest, AnEmptyFileDeniesEverything) {
  const Policy empty = policy("");
  EXPECT_FALSE(allows(empty, {"alpha", ""}));
  EXPECT_FALSE(allows(empty, {"alpha", "beta"}));
  EXPECT_THAT(place(empty, {"alpha", ""}), StartsWith("p.toml (no rule fits"));
}

TEST(PolicyTest, TheDefaultDecidesWhatNoRuleFits) {
  const Policy open = policy("# first\ndefault = \"allow\"\n");
  EXPECT_TRUE(allows(open, {"alpha", "beta"}));
  EXPECT_EQ(place(open, {"alpha", "beta"}), "p.toml:2 (default)");
  EXPECT_FALSE(allows(policy("default = \"deny\"\n"), {"alpha", ""}));
}

TEST(PolicyTest, TheFirstRuleThatFitsDecidesAndIsNamedByItsLine) {
  const Policy ordered = policy(R"(default = "deny"

[[rule]]
from = "mallory"
decision = "deny"
comment = "left the company"

[[rule]]
from = "*"
to = "beta"
decision = "allow"
)");
  EXPECT_FALSE(allows(ordered, {"mallory", "beta"}));
  EXPECT_EQ(place(ordered, {"mallory", "beta"}), "p.toml:3");
  EXPECT_EQ(ordered.decide({"mallory", "beta", "get", "time"}).rule->comment, "left the company");
  EXPECT_TRUE(allows(ordered, {"alice", "beta"}));
  EXPECT_EQ(place(ordered, {"alice", "beta"}), "p.toml:8");
  EXPECT_FALSE(allows(ordered, {"alice", "gamma"}));
}

TEST(PolicyTest, AllPartsOfARuleMustFit) {
  const Policy narrow = policy(R"(
[[rule]]
from = ["alpha", "lab-*"]
to = ["server", "printer"]
verbs = ["post", "put"]
nouns = ["print/job", "status"]
decision = "allow"
)");
  EXPECT_TRUE(allows(narrow, {"alpha", "printer", "print/job", "post"}));
  EXPECT_TRUE(allows(narrow, {"lab-7", "", "status//x", "put"}));
  EXPECT_FALSE(allows(narrow, {"beta", "printer", "print/job", "post"}));
  EXPECT_FALSE(allows(narrow, {"alpha", "scanner", "print/job", "post"}));
  EXPECT_FALSE(allows(narrow, {"alpha", "printer", "print/job", "get"}));
  EXPECT_FALSE(allows(narrow, {"alpha", "printer", "print/jobs", "post"}));
}

TEST(PolicyTest, AStarAtTheEndTakesWhatBeginsSo) {
  const Policy labs = policy("[[rule]]\nfrom = 'lab-*'\ndecision = 'allow'\n");
  EXPECT_TRUE(allows(labs, {"lab-", ""}));
  EXPECT_TRUE(allows(labs, {"lab-1.example", "beta"}));
  EXPECT_FALSE(allows(labs, {"lab", ""}));
  EXPECT_FALSE(allows(labs, {"Lab-1", ""})) << "identities are compared as they are written";
}

TEST(PolicyTest, TheWordServerMeansItsOwnHandlersOnly) {
  const Policy own = policy(rule("allow", "to = 'server'"));
  EXPECT_TRUE(allows(own, {"alpha", ""}));
  EXPECT_FALSE(allows(own, {"alpha", "server"})) << "a client of that name is not meant";
  const Policy prefix = policy(rule("allow", "to = 'serv*'"));
  EXPECT_FALSE(allows(prefix, {"alpha", ""}));
  EXPECT_TRUE(allows(prefix, {"alpha", "server"}));
  EXPECT_TRUE(allows(policy(rule("allow", "to = '*'")), {"alpha", ""}));
}

TEST(PolicyTest, VerbsMayBeAListOneOrAll) {
  EXPECT_TRUE(allows(policy(rule("allow", "verbs = 'get'")), {"a", "", "time", "get"}));
  EXPECT_FALSE(allows(policy(rule("allow", "verbs = 'get'")), {"a", "", "time", "delete"}));
  EXPECT_TRUE(allows(policy(rule("allow", "verbs = '*'")), {"a", "", "time", "delete"}));
  EXPECT_TRUE(allows(policy(rule("allow", "verbs = ['get', '*']")), {"a", "", "x", "patch"}));
  EXPECT_FALSE(allows(policy(rule("allow", "verbs = 'get'")), {"a", "", "time", "frob"}));
}

TEST(PolicyTest, ARuleForANounCoversItsArguments) {
  const Policy cat = policy(rule("allow", "nouns = 'cat'"));
  EXPECT_TRUE(allows(cat, {"a", "", "cat"}));
  EXPECT_TRUE(allows(cat, {"a", "", "cat//x/y//z"}));
  EXPECT_FALSE(allows(cat, {"a", "", "cat/x"}));
  EXPECT_FALSE(allows(cat, {"a", "", ""}));
}

TEST(PolicyTest, WhatIsAllowedIsAllowedAsItIsWritten) {
  const Policy folder = policy(rule("allow", "nouns = 'files/public/*'"));
  EXPECT_TRUE(allows(folder, {"a", "", "files/public/x"}));
  EXPECT_FALSE(allows(folder, {"a", "", "files/public_x"}));
  EXPECT_FALSE(allows(folder, {"a", "", "files//public/x"}));
  EXPECT_FALSE(allows(folder, {"a", "", "files/public//x"}));
}

TEST(PolicyTest, WhatIsDeniedIsDeniedHoweverItIsSpelt) {
  const Policy folder = policy("default = 'allow'\n" + rule("deny", "nouns = 'files/secret/*'"));
  for (const std::string_view noun :
       {"files/secret/x", "files_secret_x", "files//secret/x", "files/secret//x",
        "files///secret/x", "files/./secret/x", "files//./secret/./x", "files/secret/"}) {
    EXPECT_FALSE(allows(folder, {"a", "", noun})) << noun;
  }
  for (const std::string_view noun : {"files/secrets", "files", "secret/x"}) {
    EXPECT_TRUE(allows(folder, {"a", "", noun})) << noun;
  }
  const Policy method = policy("default = 'allow'\n" + rule("deny", "nouns = 'time/utc'"));
  EXPECT_FALSE(allows(method, {"a", "", "time_utc"}));
  EXPECT_FALSE(allows(method, {"a", "", "time/utc//x"}));
  EXPECT_FALSE(allows(method, {"a", "", "time_utc.py//x"})) << "the name of an executable's file";
  const Policy file = policy("default = 'allow'\n" + rule("deny", "nouns = 'report.py'"));
  EXPECT_FALSE(allows(file, {"a", "", "report"}));
  EXPECT_TRUE(allows(file, {"a", "", "reports"}));
  EXPECT_TRUE(allows(method, {"a", "", "time/utc2"}));
}

TEST(PolicyTest, UnknownKeysAreRefusedWithThoseThatExist) {
  EXPECT_THAT(problems("defualt = 'deny'\n"),
              ElementsAre("p.toml:1:1: unknown key \"defualt\"; accepted: default, rule "
                          "(did you mean default?)"));
  EXPECT_THAT(
      problems("[[rule]]\nfrom = '*'\ndecision = 'allow'\nnoun = 'time'\n"),
      ElementsAre("p.toml:4:1: unknown key \"noun\" in [[rule]]; accepted: from, to, verbs, "
                  "nouns, decision, comment (did you mean nouns?)"));
}

TEST(PolicyTest, ARuleSaysWhomItIsAboutAndWhatItDecides) {
  const auto lines = problems("\n[[rule]]\nto = 'x'\n");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], StartsWith("p.toml:2:1: the rule has no decision; accepted: \"allow\""));
  EXPECT_THAT(lines[1], HasSubstr("from is missing"));
}

TEST(PolicyTest, EveryMistakeIsNamedInTheOrderOfTheFile) {
  const auto lines = problems(R"(default = "maybe"
[[rule]]
from = "a*b"
to = ["printer", "prin ter"]
verbs = ["get", "fetch"]
nouns = ["/time", "cat//x", ""]
decision = true
)");
  ASSERT_EQ(lines.size(), 8U);
  EXPECT_THAT(lines[0], StartsWith("p.toml:1:11: default is neither of its words; accepted: "));
  EXPECT_THAT(lines[1], StartsWith("p.toml:3:8: from: \"a*b\" is no pattern; accepted: a node"));
  EXPECT_THAT(lines[2], StartsWith("p.toml:4:18: to: \"prin ter\" is no pattern"));
  EXPECT_THAT(lines[3], StartsWith("p.toml:5:17: verbs: \"fetch\" is no verb; accepted: get, "));
  EXPECT_THAT(lines[4], StartsWith("p.toml:6:10: nouns: \"/time\" is no pattern"));
  EXPECT_THAT(lines[5], StartsWith("p.toml:6:19: nouns: \"cat//x\" is no pattern"));
  EXPECT_THAT(lines[6], StartsWith("p.toml:6:29: nouns: \"\" is no pattern"));
  EXPECT_THAT(lines[7], StartsWith("p.toml:7:12: decision is neither of its words"));
}

TEST(PolicyTest, ValuesOfAnotherTypeAreNamed) {
  EXPECT_THAT(problems("rule = 5\n"), ElementsAre(HasSubstr("rule is no list of rules")));
  EXPECT_THAT(problems("[rule]\nfrom = 'a'\n"), ElementsAre(HasSubstr("[[rule]]")));
  EXPECT_THAT(problems(rule("allow", "to = 5")), ElementsAre(HasSubstr("to holds no text")));
  EXPECT_THAT(problems(rule("allow", "to = []")), ElementsAre(HasSubstr("to is an empty list")));
  EXPECT_THAT(problems(rule("allow", "comment = 5")), ElementsAre(HasSubstr("comment is no")));
}

TEST(PolicyTest, WhatIsNoTomlIsNamedWithItsLine) {
  EXPECT_THAT(problems("default = \"deny\"\nfrom =\n"), ElementsAre(StartsWith("p.toml:2:")));
}

TEST(PolicyTest, TheNumberOfRulesIsBounded) {
  std::string text;
  for (std::size_t i = 0; i < Policy::kRulesMax; ++i) text += rule("allow", "");
  EXPECT_EQ(policy(text).size(), Policy::kRulesMax);
  EXPECT_THAT(problems(text + rule("allow", "")), ElementsAre(HasSubstr("at most 10000")));
}

/// The blocks of a document that are policies.
std::vector<std::string> policies_in(const std::string& document) {
  std::ifstream in(std::string(RP_SOURCE_DIR "/") + document);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const std::string open = "```toml\n";
  std::vector<std::string> found;
  for (auto at = text.find(open); at != text.npos; at = text.find(open, at + 1)) {
    std::string block = text.substr(at + open.size(), text.find("```", at + 1) - at - open.size());
    if (block.find("[[rule]]") != block.npos) found.push_back(std::move(block));
  }
  return found;
}

TEST(PolicyTest, ThePoliciesOfTheDocumentsAreGood) {
  for (const char* document : {"README.md", "docs/policy.md"}) {
    const auto found = policies_in(document);
    EXPECT_FALSE(found.empty()) << document;
    for (const auto& text : found) EXPECT_GE(policy(text).size(), 2U) << text;
  }
  const Policy readme = policy(policies_in("README.md").front());
  EXPECT_TRUE(allows(readme, {"desk", "workshop"}));
  EXPECT_FALSE(allows(readme, {"desk", "workshop", "time", "delete"}));
}

TEST(PolicyTest, AFileThatCannotBeReadIsNamed) {
  const TemporaryDirectory directory;
  const auto refused = [](const std::filesystem::path& file) -> std::string {
    try {
      Policy::load(file);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  };
  const auto missing = directory.path() / "none.toml";
  EXPECT_EQ(refused(missing), missing.string() + ": cannot be read: No such file or directory");
  EXPECT_THAT(refused(directory.path()), HasSubstr("is a directory"));
  const auto large = directory.write("large.toml", std::string(Policy::kFileBytesMax + 1, '#'));
  EXPECT_THAT(refused(large), HasSubstr("larger than 1 MiB"));
}

}  // namespace
}  // namespace rp::node
