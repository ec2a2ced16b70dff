#include <string_view>

#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

// Preloaded into a node: names that end in ".slow.example" take half a minute, as they do where no
// name server answers. All others are the system's business.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  if (node != nullptr && std::string_view(node).ends_with(".slow.example")) {
    ::sleep(30);
    return EAI_AGAIN;
  }
  using Resolve = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  const auto next = reinterpret_cast<Resolve>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return next(node, service, hints, found);
}
