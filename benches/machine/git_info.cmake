# Run at every build: writes the commit, and whether the tree differed from it, as a header that
# changes only when they do.
execute_process(COMMAND git rev-parse HEAD WORKING_DIRECTORY ${SOURCE_DIR}
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                RESULT_VARIABLE no_commit)
execute_process(COMMAND git status --porcelain WORKING_DIRECTORY ${SOURCE_DIR}
                OUTPUT_VARIABLE changes ERROR_QUIET RESULT_VARIABLE no_status)
if(no_commit)
  set(commit "")
endif()
set(dirty false)
if(no_status OR changes)
  set(dirty true)
endif()
set(text "#define VOXMARK_COMMIT \"${commit}\"\n#define VOXMARK_DIRTY ${dirty}\n")
if(EXISTS ${HEADER})
  file(READ ${HEADER} old)
endif()
if(NOT "${old}" STREQUAL "${text}")
  file(WRITE ${HEADER} "${text}")
endif()
