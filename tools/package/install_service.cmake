# Runs at install time: unit files and default configuration for the prefix that is installed to.
set(RP_BINDIR ${CMAKE_INSTALL_PREFIX}/bin)
set(RP_DOCDIR ${CMAKE_INSTALL_PREFIX}/share/doc/restpipe)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(RP_SYSCONFDIR /etc)
else()
  set(RP_SYSCONFDIR ${CMAKE_INSTALL_PREFIX}/etc)
endif()

foreach(RP_ROLE server client)
  set(unit ${RP_PACKAGE_BINARY}/restpipe-${RP_ROLE}.service)
  configure_file(${RP_PACKAGE_SOURCE}/restpipe.service.in ${unit} @ONLY)
  file(INSTALL ${unit} DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)

  # The administrator's file: `cmake --install` over an installation keeps what is there.
  set(settings ${RP_SYSCONFDIR}/restpipe/${RP_ROLE}.toml)
  if(NOT EXISTS $ENV{DESTDIR}${settings})
    file(INSTALL ${RP_PACKAGE_BINARY}/${RP_ROLE}.toml DESTINATION ${RP_SYSCONFDIR}/restpipe)
  endif()
endforeach()
