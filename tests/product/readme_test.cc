#include <algorithm>

#include <gtest/gtest.h>

#include "tests/product/harness/lab.h"

/// What the README shows is built and run as it stands there.
namespace rp::product {
namespace {

std::string readme() { return read_text(std::filesystem::path(RP_SOURCE_DIR) / "README.md"); }

/// The text between the first line "```LANGUAGE" behind `after` and the next "```".
std::string code_block(const std::string& text, const std::string& language,
                       const std::string& after = "") {
  const std::string open = "```" + language + "\n";
  const auto begin = text.find(open, text.find(after));
  if (begin == std::string::npos) return {};
  const auto code = begin + open.size();
  return text.substr(code, text.find("```", code) - code);
}

std::string line_with(const std::string& text, const std::string& part) {
  for (const auto& line : lines_of(text)) {
    if (contains(line, part)) return line;
  }
  return {};
}

TEST_F(LabTest, TheReadmesFirstPluginWorks) {
  const auto text = readme();
  const auto code = code_block(text, "cpp");
  ASSERT_TRUE(contains(code, "RESTPIPE_PLUGIN(")) << "README.md has no plugin";
  EXPECT_LE(std::count(code.begin(), code.end(), '\n'), 10);
  const auto build = line_with(text, "g++ -std=c++20 -shared");
  ASSERT_FALSE(build.empty()) << "README.md does not say how to build it";

  const auto home = authority_.scratch("plugin");
  std::filesystem::create_directory(home);
  write_text(home / "greeter.cc", code);
  // Installed headers are found by themselves; those of the build tree need to be named.
  const auto compiled = run(
      {.argv = {"sh", "-c", build + " -Wall -Wextra -Werror -I" RP_SDK_INCLUDE}, .directory = home},
      60s);
  ASSERT_EQ(compiled.exit_code, 0) << compiled.err;

  start_pair({"--handlers", (home / "greeter.so").string()});
  EXPECT_EQ(curl({C("/server/hello//you")}).body, "hello you");
  EXPECT_EQ(curl({S("/client/alpha/hello//you")}).body, "hello you");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  return at == text.npos ? text : text.replace(at, from.size(), to);
}

TEST_F(LabTest, TheReadmesExecutableFilesAndApplicationWork) {
  const auto text = readme();
  const std::string section = "## Any program as a handler";
  ASSERT_TRUE(contains(text, section));
  const auto home = authority_.scratch("workshop");
  std::filesystem::create_directories(home / "methods");
  std::filesystem::create_directories(home / "public");
  write_text(home / "public/a.html", "<p>a</p>");
  const auto script = home / "methods/get_greeting";
  write_executable(script, code_block(text, "sh", section));
  Process application({.argv = {"python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1",
                                "--directory", (home / "public").string()}});
  const auto line = application.out_line("port ");
  ASSERT_TRUE(line) << application.err();
  const auto port = std::to_string(std::atoi(line->c_str() + line->find("port ") + 5));
  write_text(home / "workshop.toml",
             replaced(code_block(text, "toml", section), "127.0.0.1:3000", "127.0.0.1:" + port));

  server_ = make_server();
  client_ = make_client({.identity = authority_.client("workshop"),
                         .flags = {"--config", (home / "workshop.toml").string()}});
  ASSERT_TRUE(client_->ready());
  const auto shown = [&](const std::string& path) {
    const auto command = line_with(text, "http://127.0.0.1:8989/client/workshop/" + path);
    EXPECT_TRUE(contains(command, "curl ")) << "the README does not show " << path;
    return curl({S("/client/workshop/" + path)});
  };
  EXPECT_EQ(shown("greeting//you").body, "hello you, from workshop\n");
  EXPECT_EQ(shown("docs//a.html").body, "<p>a</p>");
  const auto listing = shown("app//");
  EXPECT_EQ(listing.status, 200);
  EXPECT_TRUE(contains(listing.body, "a.html")) << listing.body;
  EXPECT_EQ(curl({S("/client/workshop/app//none")}).status, 404);
}

}  // namespace
}  // namespace rp::product
