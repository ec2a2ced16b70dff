#pragma once

#include <cstddef>

namespace rp::pipe {

/// How many bytes fill the line under the TCP connection `socket`, as the kernel has measured it:
/// twice what is delivered in the shortest round trip, so that the line stays busy while
/// acknowledgements come, and within the two bounds. More would only wait in buffers, in front of
/// whatever is sent after it. It is `least` within a machine, where nothing is on the way for long.
std::size_t bytes_that_fill_the_line(int socket, std::size_t least, std::size_t most);

}  // namespace rp::pipe
