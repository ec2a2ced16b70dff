#include "tools/restpipe/passphrase.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

namespace rp::tools {
namespace {

constexpr std::size_t kPassphraseBytesMax = 1024;  // OpenSSL's own limit (PEM_BUFSIZE)

void print(int terminal, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(terminal, text.data(), text.size());
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string read_line(int terminal) {
  std::string line;
  char c = 0;
  while (::read(terminal, &c, 1) == 1 && c != '\n' && line.size() < kPassphraseBytesMax) line += c;
  return line;
}

std::optional<std::string> ask(const std::filesystem::path& key) {
  const int terminal = ::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (terminal < 0) return {};
  termios before{};
  if (::tcgetattr(terminal, &before) != 0) {
    ::close(terminal);
    return {};
  }
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(terminal, TCSAFLUSH, &silent);
  print(terminal, "Passphrase of " + key.string() + ": ");
  std::string passphrase = read_line(terminal);
  print(terminal, "\n");
  ::tcsetattr(terminal, TCSAFLUSH, &before);
  ::close(terminal);
  return passphrase;
}

}  // namespace

certs::PassphrasePrompt passphrase_prompt(const std::filesystem::path& key) {
  return [key] { return ask(key); };
}

}  // namespace rp::tools
