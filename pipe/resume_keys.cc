#include "pipe/resume_keys.h"

#include <stdexcept>

#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace rp::pipe {
namespace {

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  void* const out = bytes.data();
  if (RAND_bytes(static_cast<unsigned char*>(out), static_cast<int>(count)) != 1) {
    throw std::runtime_error("the system gives no random bytes");
  }
  return bytes;
}

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

ResumeKeys::ResumeKeys()
    : session_id_(random_bytes(kIdBytes)), offered_(random_bytes(kSecretBytes)) {}

bool ResumeKeys::admits(std::string_view secret) const {
  const bool is_offered = same(secret, offered_);
  const bool is_used = same(secret, used_);
  return secret.size() == kSecretBytes &&
         (static_cast<int>(is_offered) | static_cast<int>(is_used)) != 0;
}

void ResumeKeys::renew(std::string_view secret) {
  used_ = secret;
  offered_ = random_bytes(kSecretBytes);
}

}  // namespace rp::pipe
