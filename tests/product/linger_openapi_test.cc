#include <algorithm>
#include <map>
#include <set>

#include "tests/product/harness/expect.h"
#include "tests/product/linger_fixture.h"

/// The description of the API against the server that it describes.
namespace rp::product {
namespace {

namespace json = boost::json;

/// One method of one path.
struct Operation {
  std::string path;
  std::string method;
  const json::object* description;
};

class OpenApiTest : public LingerTest {
 protected:
  void SetUp() override {
    start();
    const auto response = get("/openapi.json");
    ASSERT_EQ(response.status, 200);
    ASSERT_EQ(response.content_type(), "application/json");
    document_ = json::parse(response.body);
  }

  /// What a `$ref` leads to, or the value itself.
  const json::object& resolved(const json::value& value) const {
    const auto& object = value.as_object();
    const auto* const ref = object.if_contains("$ref");
    if (ref == nullptr) return object;
    return document_.at_pointer(std::string(ref->as_string()).substr(1)).as_object();
  }

  std::vector<Operation> operations() const {
    std::vector<Operation> all;
    for (const auto& [path, item] : document_.at("paths").as_object()) {
      for (const auto& [method, description] : item.as_object()) {
        if (method == "parameters" || method == "servers") continue;
        all.push_back({std::string(path), std::string(method), &description.as_object()});
      }
    }
    return all;
  }

  /// The answer is one that the description has: status, content type, promised headers.
  void expect_described(const Operation& operation, const Response& response) const {
    const auto* const found = operation.description->at("responses")
                                  .as_object()
                                  .if_contains(std::to_string(response.status));
    ASSERT_NE(found, nullptr) << response.status << " " << response.reason;
    const auto& description = resolved(*found);
    const auto* const content = description.if_contains("content");
    if (content == nullptr) {
      EXPECT_EQ(response.body, "");
    } else {
      const auto& types = content->as_object();
      EXPECT_TRUE(types.contains(response.content_type()) || types.contains("*/*"))
          << response.content_type();
    }
    const auto* const headers = description.if_contains("headers");
    if (headers == nullptr) return;
    for (const char* name : {"Server", "Etag"}) {
      const std::string lower = *name == 'S' ? "server" : "etag";
      EXPECT_EQ(headers->as_object().contains(name), response.header(lower).has_value()) << name;
    }
  }

  static std::string filled(std::string path, const std::map<std::string, std::string>& values) {
    for (const auto& [name, value] : values) {
      const auto at = path.find('{' + name + '}');
      if (at != std::string::npos) path.replace(at, name.size() + 2, value);
    }
    return path;
  }

  static std::string upper(std::string method) {
    std::transform(method.begin(), method.end(), method.begin(),
                   [](char c) { return static_cast<char>(c - 'a' + 'A'); });
    return method;
  }

  Response ask(const Operation& operation, const std::string& path, const std::string& body) const {
    std::vector<std::string> arguments = {"-X", upper(operation.method), url(path)};
    if (operation.method == "post") {
      arguments.insert(arguments.end(), {"-H", "Content-Type: text/plain", "--data-raw", body});
    }
    return curl(arguments);
  }

  json::value document_;
};

TEST_F(OpenApiTest, EveryOperationAnswersAsDescribed) {
  for (const auto& operation : operations()) {
    SCOPED_TRACE(operation.method + " " + operation.path);
    put("/channels/filled");
    const bool takes = operation.description->at("operationId").as_string().starts_with("take");
    for (const char* channel : {"filled", "empty", "%ff"}) {
      const auto path = filled(operation.path, {{"channel", channel}, {"topic", "t"}, {"id", "1"}});
      const bool is_batch = contains(path, "/batch") || contains(path, "/ack");
      const auto query = takes ? "?nowait" : "";
      expect_described(operation, ask(operation, path + query, is_batch ? "[1]" : "body"));
      if (operation.path.find("{channel}") == std::string::npos) break;
    }
  }
}

TEST_F(OpenApiTest, EveryWrongParameterIsABadRequest) {
  for (const auto& operation : operations()) {
    const auto* const parameters = operation.description->if_contains("parameters");
    if (parameters == nullptr) continue;
    for (const auto& reference : parameters->as_array()) {
      const auto& parameter = resolved(reference);
      const auto& type = parameter.at("schema").as_object().at("type");
      if (type != "integer" && type != "number") continue;
      const std::string name(parameter.at("name").as_string());
      // The length of a touch is for holders of a lease.
      if (operation.path == "/messages/{id}/touch" || operation.path == "/messages/{id}/nack") {
        continue;
      }
      const auto path = filled(operation.path, {{"channel", "c"}, {"topic", "t"}, {"id", "1"}});
      SCOPED_TRACE(operation.method + " " + path + " " + name);
      const auto response = ask(operation, path + "?" + name + "=wrong", "body");
      EXPECT_EQ(response.status, 400);
      expect_described(operation, response);
    }
  }
}

TEST_F(OpenApiTest, MethodsThatAreNotDescribedAreNotThere) {
  for (const auto& [path, item] : document_.at("paths").as_object()) {
    for (const char* method : {"get", "post", "put", "delete", "patch"}) {
      if (item.as_object().contains(method)) continue;
      const auto filled_path =
          filled(std::string(path), {{"channel", "c"}, {"topic", "t"}, {"id", "1"}});
      EXPECT_EQ(send(upper(method), filled_path).status, 405) << method << " " << filled_path;
    }
  }
}

TEST_F(OpenApiTest, ReferencesAndNamesAreSound) {
  std::set<std::string> ids;
  for (const auto& operation : operations()) {
    SCOPED_TRACE(operation.method + " " + operation.path);
    EXPECT_TRUE(
        ids.insert(std::string(operation.description->at("operationId").as_string())).second);
    EXPECT_FALSE(operation.description->at("summary").as_string().empty());
    for (const auto& [status, response] : operation.description->at("responses").as_object()) {
      EXPECT_FALSE(resolved(response).at("description").as_string().empty()) << status;
    }
  }
  EXPECT_EQ(document_.at("openapi"), "3.1.0");
}

}  // namespace
}  // namespace rp::product
