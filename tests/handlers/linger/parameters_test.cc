#include "handlers/linger/parameters.h"

#include <gtest/gtest.h>

namespace rp::handlers::linger {
namespace {

constexpr const char* kForm = "application/x-www-form-urlencoded";

std::string value(const std::optional<Parameters>& parameters, std::string_view name) {
  if (!parameters) return "refused";
  const auto* const text = parameters->find(name);
  return text == nullptr ? "absent" : '"' + *text + '"';
}

TEST(LingerParametersTest, TheLastOneCountsAndTheBodyBeforeTheQuery) {
  const auto read = Parameters::read("msg=a&msg=b&wait=1", kForm, "msg=c&msg=+d%20&lease");
  EXPECT_EQ(value(read, "msg"), "\"d\"");
  EXPECT_EQ(value(read, "wait"), "\"1\"");
  EXPECT_EQ(value(read, "lease"), "\"\"");
  EXPECT_EQ(value(read, "nowait"), "absent");
}

TEST(LingerParametersTest, OnlyFormsHaveParameters) {
  EXPECT_EQ(value(Parameters::read("", "text/plain", "msg=a"), "msg"), "absent");
  EXPECT_EQ(
      value(Parameters::read("", "Application/X-WWW-Form-Urlencoded; charset=x", "msg=a"), "msg"),
      "\"a\"");
}

TEST(LingerParametersTest, RefusesWhatIsNoUtf8ButOnlyWhereItMatters) {
  EXPECT_EQ(value(Parameters::read("msg=%ff", "", ""), "msg"), "refused");
  EXPECT_EQ(value(Parameters::read("", kForm, "msg=%c3"), "msg"), "refused");
  EXPECT_EQ(value(Parameters::read("foo=%ff&msg=a", "", ""), "msg"), "\"a\"");
}

TEST(LingerParametersTest, TellsWhichNameIsNotExpected) {
  const auto other = [](std::string_view query, std::string_view accepted) {
    return Parameters::read(query, "", "")->other_than(accepted);
  };
  EXPECT_EQ(other("limit=5&offset=1", "limit offset"), std::nullopt);
  EXPECT_EQ(other("", ""), std::nullopt);
  EXPECT_EQ(other("&&=", ""), std::nullopt);
  EXPECT_EQ(other("limit=5&offset=1", "offset"), "limit");
  EXPECT_EQ(other("limit=5", "limits"), "limit");
  EXPECT_EQ(other("limit=5", ""), "limit");
  EXPECT_EQ(other("limit=5&lmiit&x", "limit"), "lmiit");
  EXPECT_EQ(other("%C3%A9%0A", ""), "%C3%A9%0A") << "as it can stand in a header";
  EXPECT_EQ(other(std::string(1'000, 'x'), "")->size(), 64U);
}

TEST(LingerParametersTest, ReadsTheFieldsOfMultipartBodies) {
  const std::string body =
      "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"priority\"\r\n\r\n3\r\n"
      "--b\r\ncontent-disposition: form-data; name=msg\r\nX: y\r\n\r\nline\r\n--bx\r\nmore\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"dead\"; filename=\"f;x\"\r\n\r\nfile\r\n"
      "--b--\r\n";
  const auto read = Parameters::read("", "multipart/form-data; boundary=b", body);
  EXPECT_EQ(value(read, "priority"), "\"3\"");
  EXPECT_EQ(value(read, "msg"), "\"line\r\n--bx\r\nmore\"");
  EXPECT_EQ(value(read, "dead"), "absent");
  EXPECT_EQ(value(Parameters::read("", "multipart/form-data; boundary=\"b\"", body), "priority"),
            "\"3\"");
}

TEST(LingerParametersTest, AMalformedMultipartBodyHasNone) {
  const std::string type = "multipart/form-data; boundary=b";
  for (const char* body : {"", "--b", "--b--", "--b\r\n--b--", "--b\r\nname=msg\r\n--b--",
                           "--b\r\nContent-Disposition: form-data; name=\"msg\r\n\r\nx\r\n--b--",
                           "--b\r\nContent-Disposition: form-data; name=\"msg\"\r\n\r\nx"}) {
    EXPECT_EQ(value(Parameters::read("", type, body), "msg"), "absent") << body;
  }
  EXPECT_EQ(value(Parameters::read("", "multipart/form-data", "--b--"), "msg"), "absent");
}

}  // namespace
}  // namespace rp::handlers::linger
