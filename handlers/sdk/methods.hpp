#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <restpipe/plugin.h>
#include <restpipe/sdk/body.hpp>
#include <restpipe/sdk/call.hpp>
#include <restpipe/sdk/type_name.hpp>

/// From member functions to registered methods: arguments are taken apart, results and exceptions
/// become replies.
namespace rp {

/// The wrong number of arguments, or one of the wrong kind; its name reaches the caller.
class TypeError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// Promises and needs of a method, joined with '|'. Streaming and reading of the body are set
/// for methods that take a Stream or a Body.
constexpr std::uint32_t idempotent = RESTPIPE_IDEMPOTENT;
constexpr std::uint32_t blocking = RESTPIPE_BLOCKING;

/// Stands last in a parameter list and takes all further URL arguments.
using Rest = std::vector<std::string>;

namespace detail {

/// What the parameters of one invocation are made from.
struct Source {
  CallRef& call;
  Request request;
  std::size_t next_arg = 0;
};

template <class T>
T parse_arg(std::string_view text) {
  if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
    return T(text);
  } else {
    static_assert(std::is_arithmetic_v<T> && !std::same_as<T, bool>,
                  "a URL argument is a string or a number");
    T number{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc() || end != text.data() + text.size()) {
      throw ValueError("argument '" + std::string(text) + "' is not a number in the range of " +
                       type_name(typeid(T)));
    }
    return number;
  }
}

/// How one parameter gets its value, and how many URL arguments that needs and takes.
template <class T>
struct Parameter {
  static constexpr std::size_t args_min = 1;
  static constexpr std::size_t args_max = 1;
  static T take(Source& source) { return parse_arg<T>(source.request.arg(source.next_arg++)); }
};
template <class T>
struct Parameter<std::optional<T>> {
  static constexpr std::size_t args_min = 0;
  static constexpr std::size_t args_max = 1;
  static std::optional<T> take(Source& source) {
    if (source.next_arg >= source.request.args_count()) return std::nullopt;
    return Parameter<T>::take(source);
  }
};
template <>
struct Parameter<Rest> {
  static constexpr std::size_t args_min = 0;
  static constexpr std::size_t args_max = 1 << 16;
  static Rest take(Source& source) {
    Rest rest;
    while (source.next_arg < source.request.args_count()) {
      rest.push_back(Parameter<std::string>::take(source));
    }
    return rest;
  }
};
template <>
struct Parameter<Request> {
  static constexpr std::size_t args_min = 0;
  static constexpr std::size_t args_max = 0;
  static Request take(Source& source) { return source.request; }
};
template <class Later>
requires(std::same_as<Later, Responder> || std::same_as<Later, Stream> ||
         std::same_as<Later, Body>) struct Parameter<Later> {
  static constexpr std::size_t args_min = 0;
  static constexpr std::size_t args_max = 0;
  static Later take(Source& source) { return Later(source.call); }
};

template <class... Params>
void check_args_count(std::string_view method, std::size_t given) {
  constexpr std::size_t min = (Parameter<Params>::args_min + ... + 0);
  constexpr std::size_t max = (Parameter<Params>::args_max + ... + 0);
  if (given >= min && given <= max) return;
  const std::size_t limit = given < min ? min : max;
  const char* const bound = min == max ? "exactly" : given < min ? "at least" : "at most";
  throw TypeError(std::string(method) + "() takes " + bound + " " + std::to_string(limit) +
                  (limit == 1 ? " argument (" : " arguments (") + std::to_string(given) +
                  " given)");
}

/// Calls `method` of `self` with parameters made from the call, and answers with its result.
template <class T, class Method, class Result, class... A>
void run(T& self, Method method, CallRef& call) {
  using Values = std::tuple<std::remove_cvref_t<A>...>;
  constexpr bool answers_itself = ((std::same_as<std::remove_cvref_t<A>, Responder> ||
                                    std::same_as<std::remove_cvref_t<A>, Stream>) ||
                                   ... || false);
  static_assert(!answers_itself || std::is_void_v<Result>,
                "a method that takes a Responder or a Stream returns void");
  const Request request(call);
  check_args_count<std::remove_cvref_t<A>...>(request.method(), request.args_count());
  [[maybe_unused]] Source source{call, request};
  Values values{
      Parameter<std::remove_cvref_t<A>>::take(source)...};  // left to right, by the braces
  const auto go = [&](auto&... value) -> Result {
    return (self.*method)(static_cast<A&&>(value)...);
  };
  if constexpr (!std::is_void_v<Result>) {
    call.reply(to_reply(std::apply(go, values)));
  } else {
    std::apply(go, values);
    if constexpr (!answers_itself) call.reply(to_reply(nullptr));
  }
}

/// One registered method; the host holds its address.
struct Entry {
  const restpipe_host* host;
  std::function<void(CallRef&)> run;
};

inline void invoke_entry(void*, void* method_data, restpipe_call* raw,
                         const restpipe_invocation* invocation) noexcept {
  const auto& entry = *static_cast<const Entry*>(method_data);
  CallRef call(entry.host, raw, invocation);
  try {
    entry.run(call);
  } catch (...) {
    call.raise_current();
  }
}

}  // namespace detail

/// Collects the methods of a plugin class `T`, inside its `static void methods(Methods<T>&)`.
template <class T>
class Methods {
 public:
  Methods(const restpipe_host* host, T& self, std::deque<detail::Entry>& entries)
      : host_(host), self_(self), entries_(entries) {}

  /// `name` is verb, underscore, noun: "get_time_utc"; it answers GET time/utc and GET time_utc. A
  /// '*' at its end takes every noun that begins so.
  ///
  /// The method's parameters: `const Request&`, `Responder`, `Stream` or `Body` where wanted; then
  /// one per URL argument, a std::string, std::string_view (valid during the call) or a number;
  /// std::optional for those that may be missing; Rest for all others.
  template <class Result, class Class, class... A>
  void add(std::string_view name, Result (Class::*method)(A...), std::uint32_t flags = 0) {
    add_any<decltype(method), Result, A...>(name, method, flags);
  }
  template <class Result, class Class, class... A>
  void add(std::string_view name, Result (Class::*method)(A...) const, std::uint32_t flags = 0) {
    add_any<decltype(method), Result, A...>(name, method, flags);
  }

 private:
  template <class Method, class Result, class... A>
  void add_any(std::string_view name, Method method, std::uint32_t flags) {
    if ((std::same_as<std::remove_cvref_t<A>, Stream> || ... || false)) flags |= RESTPIPE_STREAMING;
    if constexpr ((std::same_as<std::remove_cvref_t<A>, Body> || ... || false)) {
      if (!RESTPIPE_HOST_HAS(host_, on_readable)) {
        throw std::invalid_argument("the method '" + std::string(name) +
                                    "' reads its body in pieces, which this node cannot");
      }
      flags |= RESTPIPE_BODY_STREAM;
    }
    entries_.push_back({host_, [&self = self_, method](detail::CallRef& call) {
                          detail::run<T, Method, Result, A...>(self, method, call);
                        }});
    const auto underscore = std::min(name.find('_'), name.size());
    restpipe_method entry{};
    entry.size = sizeof(entry);
    entry.verb = detail::text(name.substr(0, underscore));
    entry.noun = detail::text(name.substr(std::min(underscore + 1, name.size())));
    entry.flags = flags;
    entry.invoke = &detail::invoke_entry;
    entry.method_data = &entries_.back();
    if (host_->register_method(host_, &entry) != RESTPIPE_OK) {
      throw std::invalid_argument("the node refused the method '" + std::string(name) + "'");
    }
  }

  const restpipe_host* host_;
  T& self_;
  std::deque<detail::Entry>& entries_;  // a deque: addresses stay
};

}  // namespace rp
