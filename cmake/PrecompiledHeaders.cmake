# nlohmann_json and fmt cost a second in most files before a line of ours is read. Where
# VOXMARK_PRECOMPILE is on (the release preset), they are parsed once for each set of flags below.
# With g++ alone: a library that is missing here, or stands in the wrong line, is only slower to
# compile. clang refuses headers that were parsed with other flags.
set(VOXMARK_PRECOMPILED_HEADERS <algorithm> <cstdint> <filesystem> <fmt/format.h> <functional> <map>
  <memory> <nlohmann/json.hpp> <optional> <string> <vector>)

# voxmark_precompile(GROUP [OPTIONS...] LINKS... TARGETS...): OPTIONS and LINKS make the flags that
# every one of TARGETS has.
function(voxmark_precompile group)
  cmake_parse_arguments(ARG "" "" "OPTIONS;LINKS;TARGETS" ${ARGN})
  set(leader voxmark_headers_${group})
  set(empty ${PROJECT_BINARY_DIR}/${leader}.cpp)
  file(CONFIGURE OUTPUT ${empty} CONTENT "// Headers alone.\n")
  add_library(${leader} OBJECT ${empty})
  target_link_libraries(${leader} PRIVATE
    voxmark_options fmt::fmt nlohmann_json::nlohmann_json ${ARG_LINKS})
  target_compile_options(${leader} PRIVATE ${ARG_OPTIONS})
  target_precompile_headers(${leader} PRIVATE ${VOXMARK_PRECOMPILED_HEADERS})
  foreach(target ${ARG_TARGETS})
    target_precompile_headers(${target} REUSE_FROM ${leader})
  endforeach()
endfunction()

voxmark_precompile(once_native OPTIONS -O1 LINKS OpenMP::OpenMP_CXX voxmark_kernel_options
  TARGETS voxmark_conclusions voxmark_exchange voxmark_largest_image voxmark_machine voxmark_proof
          voxmark_protocol voxmark_run voxmark_suite voxmark_trick_plan voxmark)
target_compile_options(voxmark PRIVATE -fPIC)  # as the libraries: a program has -fPIE otherwise
voxmark_precompile(once OPTIONS -O1 LINKS OpenMP::OpenMP_CXX
  TARGETS voxmark_claims voxmark_process voxmark_tables)
voxmark_precompile(plain LINKS OpenMP::OpenMP_CXX
  TARGETS voxmark_cases voxmark_data_sets voxmark_images voxmark_network voxmark_overlay
          voxmark_probes)
voxmark_precompile(native LINKS OpenMP::OpenMP_CXX voxmark_kernel_options
  TARGETS voxmark_child voxmark_prediction voxmark_threads voxmark_training voxmark_verify)
