# Installation: libraries, headers, sallyportd, man pages, pkg-config file, CMake package.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# How installed files find each other, relative to themselves: the prefix may be chosen late.
file(RELATIVE_PATH from_bin ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH from_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_FULL_INCLUDEDIR})
set_target_properties(sallyportd PROPERTIES INSTALL_RPATH "$ORIGIN/${from_bin}")
set(SP_PC_IDN)
if(SP_WITH_SASLPREP)
  set(SP_PC_IDN ", libidn")
endif()
set(SP_PC_UTF8PROC)
if(SP_WITH_UTF8PROC)
  set(SP_PC_UTF8PROC ", libutf8proc")
endif()

install(TARGETS sallyport EXPORT sallyport-targets)
install(TARGETS sallyport_static sallyportd)
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
file(GLOB pages ${PROJECT_SOURCE_DIR}/docs/man/*.8)
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)

configure_file(cmake/sallyport.pc.in sallyport.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/sallyport.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sallyport)
install(EXPORT sallyport-targets NAMESPACE sallyport:: DESTINATION ${package_dir})
write_basic_package_version_file(sallyport-config-version.cmake COMPATIBILITY SameMinorVersion)
file(WRITE ${PROJECT_BINARY_DIR}/sallyport-config.cmake
  "include(\"\${CMAKE_CURRENT_LIST_DIR}/sallyport-targets.cmake\")\n")
install(FILES ${PROJECT_BINARY_DIR}/sallyport-config.cmake
  ${PROJECT_BINARY_DIR}/sallyport-config-version.cmake DESTINATION ${package_dir})
