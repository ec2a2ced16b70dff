#pragma once

#include <array>
#include <memory>
#include <string_view>

struct evp_md_ctx_st;

namespace rp::handlers {

using Digest = std::array<unsigned char, 32>;

/// SHA-256 over bytes that come in pieces.
class Sha256 final {
 public:
  Sha256();
  void update(std::string_view bytes);
  /// Like update(), in such a way that "ab" and "c" differ from "a" and "bc".
  void update_field(std::string_view bytes);
  /// Once, at the end.
  Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace rp::handlers
