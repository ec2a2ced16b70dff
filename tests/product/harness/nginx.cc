#include "tests/product/harness/nginx.h"

#include <csignal>

#include <gtest/gtest.h>
#include <unistd.h>

namespace rp::product {
namespace {

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

std::string main_configuration() {
  std::string main = "daemon off;\nerror_log error.log;\npid nginx.pid;\n";
  if (::geteuid() == 0) main += "user root;\n";  // its workers must enter our private directory
  main += "events {}\nhttp {\n  access_log off;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    main += "  " + std::string(kind) + "_temp_path temp_" + kind + ";\n";
  }
  return main + "  include restpipe.conf;\n}\n";
}

}  // namespace

Nginx::Nginx(std::filesystem::path home, const Replaced& replaced) : home_(std::move(home)) {
  auto sample = read_text(std::filesystem::path(RP_SOURCE_DIR) / "tools/nginx/restpipe.conf");
  replace_all(sample, "/run/restpipe", home_.string());
  replace_all(sample, "127.0.0.1:80", "unix:" + front());
  for (const auto& [from, to] : replaced) {
    EXPECT_NE(sample.find(from), sample.npos) << "the sample has no " << from;
    replace_all(sample, from, to);
  }
  write_text(home_ / "restpipe.conf", sample);
  write_text(home_ / "nginx.conf", main_configuration());
  process_ =
      std::make_unique<Process>(Command{.argv = {"nginx", "-p", home_.string(), "-c", "nginx.conf"},
                                        .env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}});
}

/// Asked to end, not killed: its workers would outlive it.
Nginx::~Nginx() {
  process_->signal(SIGTERM);
  EXPECT_TRUE(process_->wait()) << "nginx does not end";
}

bool Nginx::ready() {
  return eventually([&] { return get("rpserver.local", "/healthz").status == 200; });
}

Response Nginx::get(const std::string& host, const std::string& path,
                    std::vector<std::string> more) const {
  more.insert(more.end(), {"--unix-socket", front(), "http://" + host + path});
  return curl(std::move(more));
}

}  // namespace rp::product
