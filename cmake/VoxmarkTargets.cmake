# Helpers that give every target of ours the same language level, warnings and flags.

# Warnings for our own code; third-party headers are SYSTEM includes and stay silent.
add_library(voxmark_options INTERFACE)
target_compile_options(voxmark_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast
  -Wnon-virtual-dtor -Wdouble-promotion -Wswitch-enum
  # g++ 12 warns wrongly on "literal" + std::string (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<BOOL:${VOXMARK_WERROR}>:-Werror>)
target_include_directories(voxmark_options INTERFACE ${PROJECT_SOURCE_DIR})
if(VOXMARK_SANITIZE)
  target_compile_options(voxmark_options INTERFACE
    -fsanitize=${VOXMARK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    # Tests are compiled without optimisation here: what they compute again has the same bits then.
    -ffp-contract=off
    # g++ warns wrongly under -fsanitize, as its manual says: inside <regex>, for example.
    "$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>")
  target_link_options(voxmark_options INTERFACE -fsanitize=${VOXMARK_SANITIZE})
endif()

# Flags of everything that computes a step, equal across backends so that their times compare.
# No fast-math: the reference stays a reference, and the backends obey the same rules.
add_library(voxmark_kernel_options INTERFACE)
target_compile_options(voxmark_kernel_options INTERFACE -march=${VOXMARK_ARCH} -fno-math-errno
  # g++ 12 warns wrongly of its own AVX-512 intrinsics (GCC bug 105593); clang-tidy looks as well.
  "$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-uninitialized>")

# What is run once a process and never in a step is compiled quickly: a fifth less to wait for, and
# half where the sanitizers' own code is compiled along.
if(VOXMARK_SANITIZE)
  set(VOXMARK_QUICK_OPTIMIZATION -O0)
else()
  set(VOXMARK_QUICK_OPTIMIZATION $<$<CONFIG:Release>:-O1>)
endif()

function(voxmark_compile_quickly)  # all of a folder
  add_compile_options(${VOXMARK_QUICK_OPTIMIZATION})
endfunction()

# voxmark_library(NAME [KERNELS] SOURCES... [LINKS...]): a static library voxmark_NAME, alias
# voxmark::NAME. KERNELS: what a step's time is spent in, worth the compiler's longest effort.
function(voxmark_library name)
  cmake_parse_arguments(ARG "KERNELS" "" "SOURCES;LINKS" ${ARGN})
  add_library(voxmark_${name} STATIC ${ARG_SOURCES})
  add_library(voxmark::${name} ALIAS voxmark_${name})
  target_link_libraries(voxmark_${name} PUBLIC ${ARG_LINKS} PRIVATE voxmark_options)
  target_include_directories(voxmark_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  if(ARG_KERNELS)
    target_compile_options(voxmark_${name} PRIVATE ${VOXMARK_KERNEL_OPTIMIZATION})
    # A file of kernels takes long by itself, and names the same things as its neighbours.
    set_target_properties(voxmark_${name} PROPERTIES UNITY_BUILD OFF)
  endif()
endfunction()

# Builds every test of label unit: all that ci/test runs under the sanitizers.
add_custom_target(unit_tests)

# voxmark_test(NAME SOURCES... LINKS... LABEL unit|conformance|cli): one GoogleTest program in CTest.
function(voxmark_test name)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LINKS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 1800)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} voxmark_options GTest::gtest_main)
  target_compile_options(${name} PRIVATE ${VOXMARK_QUICK_OPTIMIZATION})
  # Tests read data that is not part of the project, where it lies beside the checkout.
  target_compile_definitions(${name} PRIVATE VOXMARK_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  # Unit tests of a program take less than starting it once for each of them, and far less under the
  # sanitizers.
  if(ARG_LABEL STREQUAL "unit")
    add_dependencies(unit_tests ${name})
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES
      LABELS unit TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "OMP_WAIT_POLICY=passive")
    return()
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 120
    # Idle OpenMP threads sleep instead of spinning: tests run side by side, timings do not matter.
    PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "OMP_WAIT_POLICY=passive")
endfunction()
