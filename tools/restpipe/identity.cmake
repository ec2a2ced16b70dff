# `restpipe identity`, apart from the program so that its tests and rp_*_set_identity can link it.
rp_library(
  rp_identity_command
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/identity_command.cc ${CMAKE_CURRENT_LIST_DIR}/identity_report.cc
          ${CMAKE_CURRENT_LIST_DIR}/passphrase.cc
  PUBLIC rp_certs CLI11::CLI11
  PRIVATE Boost::json)
