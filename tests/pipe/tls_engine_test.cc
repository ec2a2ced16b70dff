#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "pipe/tls.h"
#include "tests/pipe/loopback.h"

namespace rp::pipe::test {
namespace {

/// Both ends of one TLS connection, joined in memory.
class JoinedEngines {
 public:
  JoinedEngines() {
    std::string to_server;
    std::string to_client;
    bool client_done = false;
    bool server_done = false;
    for (int flight = 0; flight < 4 && !(client_done && server_done); ++flight) {
      const std::string from_server = std::exchange(to_client, {});
      client_.feed(from_server, to_server);
      client_done = went_well(client_.handshake());
      const std::string from_client = std::exchange(to_server, {});
      server_.feed(from_client, to_client);
      server_done = went_well(server_.handshake());
    }
    EXPECT_TRUE(client_done && server_done);
  }

  std::string encrypted(std::string_view plain) {
    std::string records;
    client_.feed({}, records);
    EXPECT_FALSE(client_.write(plain));
    return records;
  }
  /// All that the server's end can read of these records.
  std::string decrypted(std::string_view records) {
    std::string answer;
    server_.feed(records, answer);
    std::string plain;
    char part[1000];
    for (;;) {
      const auto bytes = server_.read(part, sizeof part);
      EXPECT_TRUE(bytes);
      if (!bytes || *bytes == 0) return plain;
      plain.append(part, *bytes);
    }
  }

  TlsEngine& server() { return server_; }
  void keep_buffers(bool keep) {
    server_.keep_buffers(keep);
    client_.keep_buffers(keep);
  }

 private:
  static bool went_well(const Result<bool>& step) {
    EXPECT_TRUE(step);
    return step && *step;
  }

  TlsEngine client_{tls(certs::Role::client), "localhost"};
  TlsEngine server_{tls(certs::Role::server), ""};
};

TEST(TlsEngineTest, CarriesRecordsInPartsOfAnySize) {
  JoinedEngines joined;
  const std::string text = std::string(20'000, 'a') + "b";  // two records
  const std::string records = joined.encrypted(text);
  std::string plain;
  for (std::size_t at = 0; at < records.size(); at += 777) {
    plain += joined.decrypted(std::string_view(records).substr(at, 777));
  }
  EXPECT_EQ(plain, text);
  EXPECT_EQ(joined.decrypted({}), "");
}

TEST(TlsEngineTest, BuffersMayComeAndGoInTheMidstOfARecord) {
  JoinedEngines joined;
  for (const bool keep : {true, false, true, true, false, false}) {
    const std::string records = joined.encrypted("one small call");
    EXPECT_EQ(joined.decrypted(std::string_view(records).substr(0, 9)), "");
    joined.keep_buffers(keep);
    EXPECT_EQ(joined.decrypted(std::string_view(records).substr(9)), "one small call");
  }
}

TEST(TlsEngineTest, ARecordThatWasTamperedWithIsNamedLinkLost) {
  JoinedEngines joined;
  std::string records = joined.encrypted("text");
  records.back() = static_cast<char>(records.back() ^ 1);
  std::string answer;
  joined.server().feed(records, answer);
  char part[100];
  const auto bytes = joined.server().read(part, sizeof part);
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error(), Errc::link_lost);
  EXPECT_NE(joined.server().failure_reason(), "");
  // What this connection did wrong is not held against another one on the same thread.
  JoinedEngines other;
  EXPECT_EQ(other.decrypted(other.encrypted("text")), "text");
}

}  // namespace
}  // namespace rp::pipe::test
