# Installs the component `sdk`, builds handlers/example outside the tree against nothing else, by
# CMake and once more by the bare compiler, and lets the loader take the results.
#
# Needs -D: BUILD_DIR, EXAMPLE_DIR, WORK_DIR, LOADER, CXX, INCLUDE_DIR (relative to the prefix)
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT result EQUAL 0)
    string(JOIN " " command ${ARGV})
    message(FATAL_ERROR "failed (${result}): ${command}\n${out}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
# The source goes too, so that no file of the tree is within reach of a relative include.
file(COPY ${EXAMPLE_DIR}/ DESTINATION ${WORK_DIR}/source)
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --component sdk --prefix ${WORK_DIR}/prefix)

# Ninja is among the packages of the build; make need not be there.
run(${CMAKE_COMMAND} -G Ninja -S ${WORK_DIR}/source -B ${WORK_DIR}/build
    -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix -DCMAKE_CXX_COMPILER=${CXX})
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(${LOADER} ${WORK_DIR}/build/hello.so)

run(${CXX} -std=c++20 -O1 -Wall -Wextra -Wpedantic -Werror -fPIC -shared -fvisibility=hidden
    -I${WORK_DIR}/prefix/${INCLUDE_DIR} -o ${WORK_DIR}/bare.so ${WORK_DIR}/source/hello.cc)
run(${LOADER} ${WORK_DIR}/bare.so)

file(REMOVE_RECURSE ${WORK_DIR})
