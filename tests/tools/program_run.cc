#include "tests/tools/program_run.h"

#include <iostream>
#include <sstream>

#include "tools/restpipe/program.h"

namespace rp::tools {
namespace {

/// Diverts a stream for as long as it lives.
class Captured {
 public:
  explicit Captured(std::ostream& stream) : stream_(stream), before_(stream.rdbuf(text_.rdbuf())) {}
  ~Captured() { stream_.rdbuf(before_); }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  std::string text() const { return text_.str(); }

 private:
  std::ostream& stream_;
  std::ostringstream text_;
  std::streambuf* before_;
};

}  // namespace

Outcome run(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv{"restpipe"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  Outcome outcome;
  const Captured out(std::cout);
  const Captured err(std::cerr);
  const auto record = [&](const node::Config& config) {
    outcome.nodes.push_back(config);
    return 0;
  };
  outcome.exit_code = run_program(static_cast<int>(argv.size()), argv.data(), {record, record});
  outcome.out = out.text();
  outcome.err = err.text();
  return outcome;
}

}  // namespace rp::tools
