#include "tests/product/harness/application.h"

#include <stdexcept>

namespace rp::product {
namespace {

constexpr std::string_view kBegin = "import http.server, sys, time\n";

constexpr std::string_view kEnd = R"PY(
Application.log_message = lambda *unused: None
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Application)
print("listening on", server.server_port, flush=True)
server.serve_forever()
)PY";

}  // namespace

Application::Application(const std::filesystem::path& directory, std::string_view program,
                         const std::string& port) {
  write_text(directory / "app.py", std::string(kBegin).append(program).append(kEnd));
  process_ = std::make_unique<Process>(
      Command{.argv = {"python3", "app.py", port}, .directory = directory});
  const auto line = process_->out_line("listening on ");
  if (!line) throw std::runtime_error("the application does not serve: " + process_->err());
  port_ = line->substr(line->rfind(' ') + 1);
}

}  // namespace rp::product
