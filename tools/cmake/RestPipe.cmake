# What every target of the project shares: language level, warnings, include root.

find_program(RP_CCACHE ccache)
if(RP_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without these ccache leaves alone what includes a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${RP_CCACHE})
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
            # False alarms of g++ 12 in inlined std::string and std::variant code, and in the frames
            # of Asio's coroutines, which have an allocator of their own.
            $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wno-maybe-uninitialized;-Wno-mismatched-new-delete>)

# The allocator of the programs. Events are made on one thread and freed on another, by the hundred
# in a burst, which is more than glibc's per-thread caches hold. The sanitizers bring their own.
add_library(rp_allocator INTERFACE)
if(NOT "${CMAKE_CXX_FLAGS_DEBUG}${CMAKE_CXX_FLAGS}" MATCHES "-fsanitize")
  find_library(RP_JEMALLOC jemalloc REQUIRED)
  target_link_libraries(rp_allocator INTERFACE ${RP_JEMALLOC})
endif()

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
  target_precompile_headers(${name} REUSE_FROM rp_test_headers)
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

# rp_fuzz_target(NAME SOURCE file CORPUS folder LIBRARY lib UNDER_TEST file... LINK lib...
#                LABELS label...)
# A fuzz target for LIBRARY, whose committed corpus is replayed by a test with any compiler. With
# clang and RP_BUILD_FUZZERS there is a libFuzzer program NAME as well:
#   NAME -max_len=65536 NEW_CORPUS tests/FOLDER/fuzz/TARGET_corpus
# The library's sources that are UNDER_TEST are compiled into that one, so that the fuzzer follows
# the edges of their code.
function(rp_fuzz_target name)
  cmake_parse_arguments(ARG "" "SOURCE;CORPUS;LIBRARY" "UNDER_TEST;LINK;LABELS" ${ARGN})
  rp_test(
    ${name}_replay
    SOURCES ${ARG_SOURCE} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_test.cc
    LINK ${ARG_LIBRARY} ${ARG_LINK}
    LABELS ${ARG_LABELS})
  target_compile_definitions(${name}_replay
                             PRIVATE RP_CORPUS="${CMAKE_CURRENT_SOURCE_DIR}/${ARG_CORPUS}")
  if(RP_BUILD_FUZZERS)
    add_executable(${name} ${ARG_SOURCE} ${ARG_UNDER_TEST})
    target_link_libraries(${name} PRIVATE rp_options ${ARG_LINK})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  endif()
endfunction()
