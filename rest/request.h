#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rp::rest {

/// Where a request came from.
struct Remote {
  std::string address;     ///< textual IP address, or "unix"
  std::uint16_t port = 0;  ///< 0 for a Unix socket
};

/// One parsed and validated HTTP request. The gate fills it; everybody else reads it.
///
/// Views point into the request and die with it. Moving a request keeps them out of date: take
/// them again from the new place.
class Request {
 public:
  /// The method as sent; methods are case-sensitive.
  std::string_view method() const { return view(method_); }

  /// The request target as sent: path and query, still percent-encoded. An absolute-form target
  /// ("http://host/path") is kept whole here; path(), query() and host() already account for it.
  std::string_view target() const { return view(target_); }

  /// The path, percent-decoded once (see decode_path()): UTF-8 without control bytes.
  const std::string& path() const { return path_; }

  /// The same as it was sent; empty where an absolute-form target has no path.
  std::string_view encoded_path() const { return view(encoded_path_); }

  /// Everything after the first '?', undecoded; empty when there is none.
  std::string_view query() const { return view(query_); }

  /// The authority the client asked for, as sent, with its port: from an absolute-form target or
  /// the Host header. Empty only for HTTP/1.0 without Host.
  std::string_view host() const { return view(host_); }

  /// 0 or 1: the y of HTTP/1.y.
  int minor_version() const { return minor_version_; }

  /// The client's wish, not the outcome: the connection also closes while draining.
  bool keep_alive() const { return keep_alive_; }

  std::size_t header_count() const { return fields_.size(); }
  std::string_view header_name(std::size_t i) const {
    return view(fields_[i].name);
  }  ///< lower case
  std::string_view header_value(std::size_t i) const { return view(fields_[i].value); }

  /// The first header of that name, which must be given in lower case.
  std::optional<std::string_view> header(std::string_view lower_case_name) const;

  /// The body, de-chunked.
  const std::string& body() const { return body_; }
  /// Moves the body out; body() is empty afterwards.
  std::string take_body() { return std::move(body_); }

  const Remote& remote() const { return remote_; }

 private:
  friend class HeadParser;
  friend class Gate;
  friend class Connection;

  /// Offsets instead of pointers, so that moving the request moves its strings freely.
  struct Span {
    std::uint32_t at = 0;
    std::uint32_t size = 0;
  };
  struct Field {
    Span name;
    Span value;
  };
  std::string_view view(Span s) const { return std::string_view(head_).substr(s.at, s.size); }

  std::string head_;  ///< request line and headers as received; header names lower-cased in place
  Span method_;
  Span target_;
  Span encoded_path_;
  Span query_;
  Span host_;
  std::vector<Field> fields_;
  std::string path_;
  std::string body_;
  Remote remote_;
  int minor_version_ = 1;
  bool keep_alive_ = true;
};

}  // namespace rp::rest
