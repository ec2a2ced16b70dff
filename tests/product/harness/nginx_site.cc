#include "tests/product/harness/nginx_site.h"

#include <iostream>
#include <stdexcept>
#include <utility>

namespace rp::product {

void NginxSiteTest::TearDown() {
  if (HasFailure() && nginx_) std::cerr << "--- log of nginx ---\n" << nginx_->log();
  nginx_.reset();
  LabTest::TearDown();
}

void NginxSiteTest::start_site(SiteFlags flags, Nginx::Replaced replaced) {
  std::filesystem::create_directory(home());
  server_ = make_server({.flags = behind_nginx("server", std::move(flags.server))});
  client_ = make_client({.flags = behind_nginx("client", std::move(flags.client))});
  if (!client_->ready()) throw std::runtime_error("the pipe does not come up");
  replaced.emplace_back("/client/workshop/", "/client/alpha/");
  nginx_ = std::make_unique<Nginx>(home(), replaced);
  if (!nginx_->ready()) throw std::runtime_error("nginx does not serve");
}

Response NginxSiteTest::through(const std::string& host, const std::string& path,
                                std::vector<std::string> more) const {
  return nginx_->get(host, path, std::move(more));
}

std::vector<std::string> NginxSiteTest::behind_nginx(const std::string& name,
                                                     std::vector<std::string> flags) const {
  flags.insert(flags.end(), {"--rest", "unix:" + (home() / (name + ".sock")).string(),
                             "--allow-host", "rp" + name + ".local"});
  return flags;
}

}  // namespace rp::product
