// The compiled part of Boost.Asio; see BOOST_ASIO_SEPARATE_COMPILATION in pipe/CMakeLists.txt.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
