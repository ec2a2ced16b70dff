#include "tools/restpipe/request_data.h"

#include <fstream>
#include <iostream>
#include <iterator>

#include <CLI/Error.hpp>

namespace rp::tools {
namespace {

std::string read_all(std::istream& in, const std::string& name, const std::string& argument) {
  std::string bytes(std::istreambuf_iterator<char>(in), {});
  if (in.bad()) throw CLI::ValidationError(argument, name + " cannot be read");
  return bytes;
}

}  // namespace

int exit_code_of(HttpFailure::Kind kind) {
  switch (kind) {
    case HttpFailure::Kind::unreachable:
      return kUnreachable;
    case HttpFailure::Kind::timed_out:
      return kTimedOut;
    case HttpFailure::Kind::broken:
      break;
  }
  return kBroken;
}

std::string load_data(const std::string& text, const std::string& argument) {
  if (text == "-" || text == "@-") return read_all(std::cin, "standard input", argument);
  if (!text.starts_with('@')) return text;
  const std::string file = text.substr(1);
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    throw CLI::ValidationError(argument,
                               "\"" + file + "\" cannot be read; accepted: DATA, @FILE or -");
  }
  return read_all(in, file, argument);
}

}  // namespace rp::tools
