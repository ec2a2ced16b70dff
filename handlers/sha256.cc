#include "handlers/sha256.h"

#include <cstdint>
#include <new>

#include <openssl/evp.h>

namespace rp::handlers {

// What may fail here is memory alone.
Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) {
    throw std::bad_alloc();
  }
}

void Sha256::update(std::string_view bytes) {
  if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) throw std::bad_alloc();
}

void Sha256::update_field(std::string_view bytes) {
  const std::uint64_t size = bytes.size();
  update({reinterpret_cast<const char*>(&size), sizeof size});
  update(bytes);
}

Digest Sha256::finish() {
  Digest digest{};
  if (EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) != 1) throw std::bad_alloc();
  return digest;
}

void Sha256::Free::operator()(evp_md_ctx_st* context) const noexcept { EVP_MD_CTX_free(context); }

}  // namespace rp::handlers
