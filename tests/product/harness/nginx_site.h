#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/product/harness/lab.h"
#include "tests/product/harness/nginx.h"

namespace rp::product {

/// What each node of a site gets beside its socket for nginx.
struct SiteFlags {
  std::vector<std::string> server{};
  std::vector<std::string> client{};
};

/// Both nodes behind nginx with the project's sample: the server is rpserver.local, the client is
/// rpclient.local, and an application that the client mounts as the noun `app` is
/// http://rpserver.local/app/. When a test has failed, nginx's log is printed before the nodes'.
class NginxSiteTest : public LabTest {
 protected:
  /// One that overrides this lets go first of what uses the site, and calls this last.
  void TearDown() override;

  /// Returns when the pipe is up and nginx serves; throws when one of them does not come so far.
  /// The sample's client is called `workshop`; it is replaced by the lab's, and `replaced` says
  /// what else differs from the sample.
  void start_site(SiteFlags flags, Nginx::Replaced replaced = {});

  /// By way of nginx.
  Response through(const std::string& host, const std::string& path,
                   std::vector<std::string> more = {}) const;

  /// Where the nodes' sockets and nginx's files are.
  std::filesystem::path home() const { return authority_.scratch("nginx"); }

 private:
  /// `flags` and what the sample asks of the node that it calls `name`.
  std::vector<std::string> behind_nginx(const std::string& name,
                                        std::vector<std::string> flags) const;

  std::unique_ptr<Nginx> nginx_;
};

}  // namespace rp::product
