# What every target of the project shares: language level, warnings, include root.

find_program(RP_CCACHE ccache)
if(RP_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${RP_CCACHE})
endif()

add_library(rp_options INTERFACE)
target_compile_features(rp_options INTERFACE cxx_std_20)
target_include_directories(rp_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(
  rp_options
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wconversion
            -Wshadow
            -Wold-style-cast
            -Wsuggest-override
            # False alarms of g++ 12 in inlined std::string and std::variant code.
            $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wno-maybe-uninitialized>)

# rp_library(NAME SOURCES file... PUBLIC lib... PRIVATE lib...)
# One static library per folder; its links are its arrows.
function(rp_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(
    ${name}
    PUBLIC rp_options ${ARG_PUBLIC}
    PRIVATE ${ARG_PRIVATE})
endfunction()

# rp_test(NAME SOURCES file... LINK lib... [LABELS label...] [TIMEOUT seconds] [COST seconds])
# One GoogleTest program per folder under tests/, each of its tests known to ctest.
function(rp_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT;COST" "SOURCES;LINK;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  if(NOT ARG_COST)
    set(ARG_COST 0) # ctest begins with the tests that cost most
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE rp_options ${ARG_LINK} GTest::gmock_main)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${ARG_TIMEOUT} COST ${ARG_COST})
  # gtest_discover_tests() keeps the first of several labels only.
  set(labels_file ${CMAKE_CURRENT_BINARY_DIR}/${name}_labels.cmake)
  file(
    WRITE ${labels_file}
    "foreach(test IN LISTS ${name}_TESTS)\n"
    "  set_tests_properties(\${test} PROPERTIES LABELS \"${ARG_LABELS}\")\n"
    "endforeach()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${labels_file})
endfunction()
