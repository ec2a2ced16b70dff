#pragma once

#include "certs/identity.h"

namespace rp::tools {

/// The whole of rp_server_set_identity and rp_client_set_identity: checks KEY, CRT and CA and puts
/// them where that node looks for them (RP_* variables as the node honours them). Returns the exit
/// code: 0 done, 2 usage, else certs::exit_code().
int set_identity(certs::Role role, int argc, char** argv);

}  // namespace rp::tools
