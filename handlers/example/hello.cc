// A whole plugin. Build it against an installed RestPipe:
//
//     cmake -G Ninja -B build -DCMAKE_PREFIX_PATH=/usr && cmake --build build
//
// and start a node with it:  restpipe server --handlers $PWD/build/hello.so
#include <string>

#include <restpipe/sdk/restpipe.hpp>

class Hello {
 public:
  std::string get_hello(const std::string& name) { return "hello " + name; }
  rp::Object get_sum(int a, int b) { return {{"sum", a + b}}; }

  static void methods(rp::Methods<Hello>& m) {
    m.add("get_hello", &Hello::get_hello, rp::idempotent);
    m.add("get_sum", &Hello::get_sum, rp::idempotent);
  }
};

RESTPIPE_PLUGIN(Hello, "hello", "1.0")
