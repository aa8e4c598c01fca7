# A module is a folder of src/: every .cc in it, as one static library `ef_NAME`.
# ef_module(NAME DEPENDS other modules and libraries...)
function(ef_module name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  add_library(ef_${name} STATIC ${sources})
  target_include_directories(ef_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(ef_${name} PUBLIC ${ARG_DEPENDS})
endfunction()

# The tests of a module: every tests/NAME/*_test.cc in one executable `NAME_test`.
function(ef_test name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${name}_test ${sources})
  target_include_directories(${name}_test PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_options(${name}_test PRIVATE $<$<CONFIG:Release>:-O1>)  # what is tested is in the modules
  target_compile_definitions(${name}_test PRIVATE EMBEDFORGE_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/golden")
  target_link_libraries(${name}_test PRIVATE ef_${name} ${ARGN} GTest::gtest_main GTest::gmock)
  add_test(NAME ${name} COMMAND ${name}_test)
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "EMBEDFORGE_CACHE=${CMAKE_BINARY_DIR}/cache")
endfunction()
