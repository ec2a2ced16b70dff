#include "handlers/linger/openapi.h"

#include <map>
#include <set>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "handlers/linger/parameters.h"
#include "handlers/linger/route.h"

/// The description against the routes and the parameters that there are.
namespace rp::handlers::linger {
namespace {

namespace json = boost::json;

class OpenApiDocumentTest : public ::testing::Test {
 protected:
  const json::value document_ = json::parse({openapi_document().data(), openapi_document().size()});
  const json::object& paths_ = document_.at("paths").as_object();

  static std::string filled(std::string path) {
    for (const auto& [name, value] :
         std::map<std::string, std::string>{{"{channel}", "c"}, {"{topic}", "t"}, {"{id}", "1"}}) {
      const auto at = path.find(name);
      if (at != std::string::npos) path.replace(at, name.size(), value);
    }
    return path;
  }

  /// "GET, PUT" for a path with these two.
  static std::string methods_of(const json::object& item) {
    std::string methods;
    for (const auto& [method, name] : std::initializer_list<std::pair<const char*, const char*>>{
             {"get", "GET"}, {"post", "POST"}, {"put", "PUT"}, {"delete", "DELETE"}}) {
      if (item.contains(method)) methods += (methods.empty() ? "" : ", ") + std::string(name);
    }
    return methods;
  }
};

TEST_F(OpenApiDocumentTest, HasEveryRouteWithEveryMethod) {
  std::set<Resource> described;
  for (const auto& [path, item] : paths_) {
    if (path == "/" || path == "/openapi.json") continue;
    SCOPED_TRACE(std::string(path));
    const auto found = find_route(filled(std::string(path)), Spelling::encoded);
    const auto* const route = std::get_if<Route>(&found);
    ASSERT_NE(route, nullptr);
    EXPECT_EQ(methods_of(item.as_object()), route->methods);
    described.insert(route->resource);
  }
  constexpr auto kResources = static_cast<std::size_t>(Resource::stats) + 1;  // it is the last
  EXPECT_EQ(described.size(), kResources);
}

TEST_F(OpenApiDocumentTest, NamesParametersThatAreRead) {
  for (const auto& [key, parameter] : document_.at_pointer("/components/parameters").as_object()) {
    if (parameter.at("in") != "query") continue;
    const std::string name(parameter.at("name").as_string());
    EXPECT_TRUE(Parameters::read(name + "=1", "", "")->has(name)) << name;
  }
}

TEST_F(OpenApiDocumentTest, HasNoPartThatNobodyRefersTo) {
  const auto text = openapi_document();
  for (const auto& [kind, parts] : document_.at("components").as_object()) {
    for (const auto& [name, part] : parts.as_object()) {
      const auto reference = "\"#/components/" + std::string(kind) + '/' + std::string(name) + '"';
      EXPECT_NE(text.find(reference), std::string_view::npos) << reference;
    }
  }
}

}  // namespace
}  // namespace rp::handlers::linger
