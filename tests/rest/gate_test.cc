#include "rest/gate.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace rp::rest {
namespace {

/// What became of a whole input: the requests it held, and the refusal that ended it.
struct Outcome {
  std::vector<Request> requests;
  std::vector<Framing> framings;
  std::optional<Refusal> refusal;
  std::string unread;
};

/// Feeds `input` in pieces of `step` bytes.
Outcome run(std::string_view input, std::size_t step = std::string_view::npos,
            const Limits& limits = {}) {
  Gate gate(limits);
  Outcome outcome;
  std::string pending;
  while (!input.empty()) {
    const auto piece = input.substr(0, step);
    input.remove_prefix(piece.size());
    pending += piece;
    std::string_view left = pending;
    for (bool more = true; more;) {
      switch (gate.feed(left)) {
        case Gate::Progress::need_more:
          more = false;
          break;
        case Gate::Progress::head:
          outcome.framings.push_back(gate.framing());
          break;
        case Gate::Progress::complete:
          outcome.requests.push_back(gate.take_request());
          break;
        case Gate::Progress::refused:
          outcome.refusal = gate.refusal();
          outcome.unread = std::string(left) + std::string(input);
          return outcome;
      }
    }
    pending = std::string(left);
  }
  outcome.unread = pending;
  return outcome;
}

std::string get(std::string_view headers) {
  return "GET /server/time HTTP/1.1\r\n" + std::string(headers) + "\r\n";
}

TEST(GateTest, ReadsAPlainRequest) {
  const auto outcome =
      run("GET /server/time?a=1&a=2 HTTP/1.1\r\nHost: localhost:1\r\nX-Two:  b \t\r\n\r\n");
  ASSERT_EQ(outcome.requests.size(), 1U);
  const Request& request = outcome.requests[0];
  EXPECT_EQ(request.method(), "GET");
  EXPECT_EQ(request.target(), "/server/time?a=1&a=2");
  EXPECT_EQ(request.path(), "/server/time");
  EXPECT_EQ(request.query(), "a=1&a=2");
  EXPECT_EQ(request.host(), "localhost:1");
  EXPECT_EQ(request.header("x-two"), "b");
  EXPECT_EQ(request.header("x-three"), std::nullopt);
  EXPECT_TRUE(request.keep_alive());
  EXPECT_EQ(request.minor_version(), 1);
}

TEST(GateTest, KeepsViewsRightWhenTheRequestMoves) {
  auto outcome = run(get("Host: a\r\n"));
  const Request moved = std::move(outcome.requests.at(0));
  EXPECT_EQ(moved.method(), "GET");
  EXPECT_EQ(moved.header("host"), "a");
}

TEST(GateTest, ReadsTheSameHoweverTheBytesAreSplit) {
  const std::string input =
      "\r\nPOST /server/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
      "PUT /server/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;x=\"y\"\r\nwor\r\n\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"
      "GET /c HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t step = 1; step <= input.size(); ++step) {
    const auto outcome = run(input, step);
    ASSERT_FALSE(outcome.refusal) << "step " << step << ": " << outcome.refusal->detail;
    ASSERT_EQ(outcome.requests.size(), 3U) << "step " << step;
    EXPECT_EQ(outcome.requests[0].body(), "hello");
    EXPECT_EQ(outcome.requests[1].body(), "wor\r\n0123456789");
    EXPECT_EQ(outcome.requests[2].path(), "/c");
    EXPECT_EQ(outcome.unread, "");
  }
}

TEST(GateTest, ReadsAChunkedBodyForEveryPairOfSplits) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string body = "3\r\nabc\r\n0a;e\r\n0123456789\r\n0\r\nA: b\r\n\r\n";
  for (std::size_t first = 0; first <= body.size(); ++first) {
    for (std::size_t second = first; second <= body.size(); ++second) {
      Limits limits;
      ChunkDecoder decoder(limits, limits.body_bytes_max);
      std::string decoded;
      std::size_t used = 0;
      for (const auto& piece :
           {body.substr(0, first), body.substr(first, second - first), body.substr(second)})
        used += decoder.feed(piece, decoded);
      ASSERT_TRUE(decoder.done()) << first << ' ' << second;
      EXPECT_EQ(used, body.size());
      EXPECT_EQ(decoded, "abc0123456789");
    }
  }
  EXPECT_EQ(run(head + body).requests.at(0).body(), "abc0123456789");
}

TEST(GateTest, LeavesThePipelinedRequestUnread) {
  Limits limits;
  Gate gate(limits);
  std::string_view input = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(gate.feed(input), Gate::Progress::head);
  EXPECT_EQ(gate.feed(input), Gate::Progress::complete);
  EXPECT_EQ(gate.take_request().path(), "/1");
  EXPECT_EQ(input, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(gate.between_requests());
}

TEST(GateTest, TakesAnAbsoluteFormTargetAndItsHost) {
  const auto outcome =
      run("GET http://one.example:80/a%20b?q HTTP/1.1\r\nHost: two.example\r\n\r\n");
  ASSERT_EQ(outcome.requests.size(), 1U);
  EXPECT_EQ(outcome.requests[0].host(), "one.example:80");
  EXPECT_EQ(outcome.requests[0].path(), "/a b");
  EXPECT_EQ(outcome.requests[0].query(), "q");
}

TEST(GateTest, TakesAnAbsoluteFormTargetWithoutAPath) {
  const auto outcome = run("GET http://one.example?q HTTP/1.1\r\nHost: one.example\r\n\r\n");
  ASSERT_EQ(outcome.requests.size(), 1U);
  EXPECT_EQ(outcome.requests[0].path(), "/");
  EXPECT_EQ(outcome.requests[0].query(), "q");
}

TEST(GateTest, TakesTheAsteriskForOptions) {
  const auto outcome = run("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(outcome.requests.size(), 1U);
  EXPECT_EQ(outcome.requests[0].path(), "*");
}

TEST(GateTest, DropsAFragment) {
  const auto outcome = run("GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(outcome.requests.size(), 1U);
  EXPECT_EQ(outcome.requests[0].path(), "/a");
  EXPECT_EQ(outcome.requests[0].query(), "b");
}

TEST(GateTest, KnowsWhenTheConnectionStays) {
  const auto keeps = [](std::string_view head) { return run(head).requests.at(0).keep_alive(); };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"));
}

TEST(GateTest, ExpectsContinueOnlyWithABodyOnHttp11) {
  const auto expects = [](std::string_view head) {
    return run(head).framings.at(0).expects_continue;
  };
  EXPECT_TRUE(
      expects("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx"));
  EXPECT_FALSE(
      expects("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_FALSE(expects("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"));
}

struct Malformed {
  const char* name;
  std::string input;
  int status;
};

class MalformedRequestTest : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedRequestTest, IsRefusedWholeAndByteByByte) {
  for (const std::size_t step : {std::string::npos, std::size_t{1}, std::size_t{7}}) {
    const auto outcome = run(GetParam().input, step);
    ASSERT_TRUE(outcome.refusal) << "step " << step;
    EXPECT_EQ(outcome.refusal->status, GetParam().status) << outcome.refusal->detail;
    EXPECT_TRUE(outcome.requests.empty());
    EXPECT_FALSE(outcome.refusal->detail.empty());
    EXPECT_FALSE(outcome.refusal->code.empty());
  }
}

std::string post(std::string_view headers, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

std::string chunked(std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); }

using namespace std::string_literals;

const Malformed kMalformed[] = {
    // Framing that proxies read differently.
    {"ContentLengthAndTransferEncoding",
     post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
    {"TransferEncodingAndContentLength",
     post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"), 400},
    {"TwoContentLengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), 400},
    {"TwoEqualContentLengths", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400},
    {"ContentLengthList", post("Content-Length: 3, 3\r\n", "abc"), 400},
    {"ContentLengthWithPlus", post("Content-Length: +3\r\n", "abc"), 400},
    {"ContentLengthWithMinus", post("Content-Length: -1\r\n", ""), 400},
    {"ContentLengthWithLetters", post("Content-Length: 3abc\r\n", "abc"), 400},
    {"ContentLengthHexadecimal", post("Content-Length: 0x3\r\n", "abc"), 400},
    {"ContentLengthEmpty", post("Content-Length:\r\n", ""), 400},
    {"ContentLengthWithInnerSpace", post("Content-Length: 1 2\r\n", "abc"), 400},
    {"ContentLengthHuge", post("Content-Length: 99999999999999999999999\r\n", ""), 413},
    {"ContentLengthOverTheLimit", post("Content-Length: 67108865\r\n", ""), 413},
    {"TransferEncodingIdentity", post("Transfer-Encoding: identity\r\n", ""), 501},
    {"TransferEncodingGzip", post("Transfer-Encoding: gzip, chunked\r\n", ""), 501},
    {"TransferEncodingXchunked", post("Transfer-Encoding: xchunked\r\n", ""), 501},
    {"TransferEncodingChunkedTwice", post("Transfer-Encoding: chunked, chunked\r\n", ""), 501},
    {"TwoTransferEncodings",
     post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ""), 400},
    {"TransferEncodingEmpty", post("Transfer-Encoding:\r\n", ""), 501},
    {"TransferEncodingQuoted", post("Transfer-Encoding: \"chunked\"\r\n", ""), 501},
    {"TransferEncodingVerticalTab",
     post("Transfer-Encoding: \x0b"
          "chunked\r\n",
          ""),
     400},
    {"TransferEncodingOnHttp10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400},
    {"SpaceBeforeColon", post("Transfer-Encoding : chunked\r\n", ""), 400},
    {"TabBeforeColon", post("Content-Length\t: 1\r\n", "a"), 400},
    // Hosts.
    {"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
    {"TwoHosts", get("Host: a\r\nHost: b\r\n"), 400},
    {"TwoEqualHosts", get("Host: a\r\nHost: a\r\n"), 400},
    {"HostWithSlash", get("Host: a/b\r\n"), 400},
    {"HostWithUserinfo", get("Host: u@a\r\n"), 400},
    {"HostWithSpace", get("Host: a b\r\n"), 400},
    {"HostList", get("Host: a, b\r\n"), 400},
    {"HostEmpty", get("Host:\r\n"), 400},
    {"HostWithBadPort", get("Host: a:b\r\n"), 400},
    {"HostWithOpenBracket", get("Host: [::1\r\n"), 400},
    // Request line.
    {"Garbage", "garbage\r\n\r\n", 400},
    {"Http09", "GET /\r\n\r\n", 400},
    {"TwoSpacesAfterMethod", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"TwoSpacesBeforeVersion", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"TabInRequestLine", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"TrailingSpaceInRequestLine", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
    {"LeadingSpace", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"MethodNoToken", "G(ET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"MethodTooLong", std::string(33, 'A') + " / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"Connect", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"VersionLowerCase", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
    {"VersionWithoutMinor", "GET / HTTP/1\r\nHost: a\r\n\r\n", 400},
    {"VersionTwo", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    {"Version12", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
    {"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"TargetWithoutSlash", "GET server/time HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"TargetAsteriskForGet", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"TargetOtherScheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"TargetWithUserinfo", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"TargetWithRawUtf8", "GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"TargetWithNul", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"s, 400},
    {"TargetTooLong", "GET /" + std::string(8192, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
    {"RequestLineEndless", "GET /" + std::string(17000, 'a'), 414},
    {"TlsHello", "\x16\x03\x01\x02"s, 400},
    // Paths (RELIABILITY T19).
    {"PathWithEncodedNul", "GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"PathWithEncodedNewline", "GET /a%0ab HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"PathWithDelete", "GET /a%7f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"PathWithDotDot", "GET /server/../x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"PathWithEncodedDotDot", "GET /server/%2e%2e/x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"PathWithDotDotAfterEncodedSlash", "GET /server/a%2f.. HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"PathWithBackslash", "GET /server/a\\b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"PathWithEncodedBackslash", "GET /server/a%5Cb HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"PathWithOverlongSlash", "GET /server/a%c0%afb HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"PathWithOverlongThreeBytes", "GET /a%e0%80%af HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    // Header lines.
    {"BareLfAfterRequestLine", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
    {"BareLfAfterHeader", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
    {"BareLfAtTheEnd", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
    {"BareCrInHeader", get("Host: a\r\nX: a\rb\r\n"), 400},
    {"NulInHeader", get("Host: a\r\nX: a\0b\r\n"s), 400},
    {"EscapeInHeader", get("Host: a\r\nX: a\x1b[1m\r\n"), 400},
    {"NulInHeaderName", get("Host: a\r\nX\0: b\r\n"s), 400},
    {"FoldedHeader", get("Host: a\r\nX: a\r\n b\r\n"), 400},
    {"FirstHeaderFolded", get(" Host: a\r\n"), 400},
    {"HeaderWithoutColon", get("Host: a\r\nXyz\r\n"), 400},
    {"HeaderWithoutName", get("Host: a\r\n: b\r\n"), 400},
    {"HeaderNameWithSpace", get("Host: a\r\nX Y: b\r\n"), 400},
    {"HeaderNameNotAscii", get("Host: a\r\nX\xc3\xa9: b\r\n"), 400},
    {"TooManyHeaders",
     [] {
       std::string headers = "Host: a\r\n";
       for (int i = 0; i < 100; ++i) headers += "X: y\r\n";
       return get(headers);
     }(),
     431},
    {"HeadTooLarge", get("Host: a\r\nX: " + std::string(17000, 'x') + "\r\n"), 431},
    {"UnknownExpectation", post("Expect: 200-ok\r\n", ""), 417},
    {"LeadingBareLf", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"LeadingCrWithoutLf", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"ManyLeadingEmptyLines", "\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    // Chunks.
    {"ChunkSizeEmpty", chunked("\r\n\r\n"), 400},
    {"ChunkSizeWithPrefix", chunked("0x3\r\nabc\r\n0\r\n\r\n"), 400},
    {"ChunkSizeNegative", chunked("-3\r\nabc\r\n0\r\n\r\n"), 400},
    {"ChunkSizeWithPlus", chunked("+3\r\nabc\r\n0\r\n\r\n"), 400},
    {"ChunkSizeWithSpaceBefore", chunked(" 3\r\nabc\r\n0\r\n\r\n"), 400},
    {"ChunkSizeWithSpaceAfter", chunked("3 \r\nabc\r\n0\r\n\r\n"), 400},
    {"ChunkSizeWithBareLf", chunked("3\nabc\r\n0\r\n\r\n"), 400},
    {"ChunkSizeWithBareCr", chunked("3\rabc\r\n0\r\n\r\n"), 400},
    {"ChunkSizeOverflow", chunked("ffffffffffffffff3\r\nabc\r\n0\r\n\r\n"), 413},
    {"ChunkSizeOverTheLimit", chunked("4000001\r\n"), 413},
    {"ChunkLongerThanItsSize", chunked("3\r\nabcd\r\n0\r\n\r\n"), 400},
    {"ChunkWithoutCrLf", chunked("3\r\nabc0\r\n\r\n"), 400},
    {"ChunkEndsWithBareLf", chunked("3\r\nabc\n0\r\n\r\n"), 400},
    {"ChunkEndsWithBareCr", chunked("3\r\nabc\rx0\r\n\r\n"), 400},
    {"ChunkExtensionWithBareLf", chunked("3;a\nabc\r\n0\r\n\r\n"), 400},
    {"ChunkExtensionWithNul", chunked("3;a\0\r\nabc\r\n0\r\n\r\n"s), 400},
    {"ChunkExtensionEndless", chunked("3;" + std::string(9000, 'a')), 431},
    {"TrailerWithoutColon", chunked("0\r\nabc\r\n\r\n"), 400},
    {"TrailerWithBareLf", chunked("0\r\nA: b\n\r\n"), 400},
    {"TrailerWithBareCr", chunked("0\r\nA: b\rc\r\n\r\n"), 400},
    {"TrailerFolded", chunked("0\r\n A: b\r\n\r\n"), 400},
    {"TrailersEndless", chunked("0\r\nA: " + std::string(9000, 'a')), 431},
};

INSTANTIATE_TEST_SUITE_P(Every, MalformedRequestTest, testing::ValuesIn(kMalformed),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(GateTest, RefusesABodyOverTheLimitAtTheHead) {
  Limits limits;
  limits.body_bytes_max = 10;
  EXPECT_EQ(run(post("Content-Length: 11\r\n", ""), std::string::npos, limits).refusal->status,
            413);
  EXPECT_EQ(run(post("Content-Length: 10\r\n", "0123456789"), 3, limits).requests.size(), 1U);
}

TEST(GateTest, CountsAChunkedBodyOverAllItsChunks) {
  Limits limits;
  limits.body_bytes_max = 10;
  EXPECT_EQ(run(chunked("6\r\nabcdef\r\n5\r\n"), 1, limits).refusal->status, 413);
  EXPECT_EQ(run(chunked("6\r\nabcdef\r\n4\r\nabcd\r\n0\r\n\r\n"), 1, limits).requests.size(), 1U);
}

TEST(GateTest, ReadsNothingAfterARefusal) {
  Limits limits;
  Gate gate(limits);
  std::string_view input = "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(gate.feed(input), Gate::Progress::refused);
  EXPECT_EQ(gate.feed(input), Gate::Progress::refused);
  EXPECT_EQ(input, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(GateTest, TakesALegalHeadOfExactlyTheLimit) {
  Limits limits;
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  const std::string head =
      start + std::string(limits.head_bytes_max - start.size() - 4, 'x') + "\r\n\r\n";
  ASSERT_EQ(head.size(), limits.head_bytes_max);
  EXPECT_EQ(run(head).requests.size(), 1U);
  EXPECT_EQ(run("GET / HTTP/1.1\r\nHost: a\r\nX: x" + head.substr(start.size())).refusal->status,
            431);
}

TEST(GateTest, TakesHeadersThatTypedParsersChokeOn) {
  const auto outcome =
      run(get("Host: a\r\nCookie: =;;\r\nAccept: ;q=x\r\nCache-Control: \"\r\nDate: never\r\n"
              "X: caf\xc3\xa9\r\nEmpty:\r\n"));
  ASSERT_EQ(outcome.requests.size(), 1U);
  EXPECT_EQ(outcome.requests[0].header("cookie"), "=;;");
  EXPECT_EQ(outcome.requests[0].header("x"), "caf\xc3\xa9");
  EXPECT_EQ(outcome.requests[0].header("empty"), "");
}

TEST(GateTest, KeepsRepeatedHeadersInOrder) {
  const auto outcome = run(get("Host: a\r\nX: 1\r\nx: 2\r\n"));
  const Request& request = outcome.requests.at(0);
  ASSERT_EQ(request.header_count(), 3U);
  EXPECT_EQ(request.header_name(1), "x");
  EXPECT_EQ(request.header_value(1), "1");
  EXPECT_EQ(request.header_value(2), "2");
}

}  // namespace
}  // namespace rp::rest
