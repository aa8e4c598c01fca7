# What `cmake --install` gives: one shared library of all modules, its headers, find_package(embedforge), a pkg-config file
# and the command line.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(modules backends base checkpoint config convert embed engine graph hub http kernels passes plan quantize recognize tokenize)
list(TRANSFORM modules PREPEND ef_)
list(JOIN modules "," whole)
file(WRITE ${CMAKE_BINARY_DIR}/embedforge.cc "// The library is its modules.\n")
add_library(embedforge SHARED ${CMAKE_BINARY_DIR}/embedforge.cc)
add_library(embedforge::embedforge ALIAS embedforge)
target_include_directories(embedforge INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
                                                $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(embedforge INTERFACE cxx_std_20)
target_link_libraries(embedforge PRIVATE ${modules})
target_link_options(embedforge PRIVATE LINKER:--version-script=${CMAKE_SOURCE_DIR}/cmake/exports.map)
set_target_properties(embedforge PROPERTIES LINK_LIBRARY_OVERRIDE "WHOLE_ARCHIVE,${whole}" VERSION ${PROJECT_VERSION} SOVERSION 0
                                            LINK_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/exports.map)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/embedforge)
install(TARGETS embedforge EXPORT embedforge)
install(DIRECTORY include/embedforge DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT embedforge NAMESPACE embedforge:: FILE embedforgeConfig.cmake DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/embedforgeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/embedforgeConfigVersion.cmake DESTINATION ${package})
# pkg-config knows where its own file lies; the prefix is as many folders above as the path below has.
string(REGEX REPLACE "[^/]+" ".." up ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(EMBEDFORGE_PC_PREFIX "\${pcfiledir}/${up}")
configure_file(cmake/embedforge.pc.in embedforge.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/embedforge.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(TARGET embedforge_app)
  install(TARGETS embedforge_app)
endif()
