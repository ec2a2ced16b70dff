#include "tools/set_identity/set_identity.h"

int main(int argc, char** argv) {
  return rp::tools::set_identity(rp::certs::Role::client, argc, argv);
}
