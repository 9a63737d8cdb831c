# Run at every build: writes the version, the commit, and whether the tree differed from it, as a
# header that changes only when they do.
#
# The version is that of the commit's tag v1.2.3, else PROJECT_VERSION. A folder that is not a checkout
# itself, as an unpacked tarball, has no commit, even where it lies in the checkout of another project.
function(git output)
  execute_process(COMMAND git ${ARGN} WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE text
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed)
    set(text "")
  endif()
  set(${output} "${text}" PARENT_SCOPE)
  set(git_failed "${failed}" PARENT_SCOPE)
endfunction()

set(version ${PROJECT_VERSION})
set(commit "")
set(dirty false)
git(checkout rev-parse --show-toplevel)
file(REAL_PATH ${SOURCE_DIR} folder)
if(checkout STREQUAL folder)
  git(commit rev-parse --verify HEAD)
  git(changes status --porcelain)
  if(git_failed OR changes)
    set(dirty true)
  endif()
  git(tag describe --exact-match --tags --match "v[0-9]*" HEAD)
  if(tag MATCHES "^v([0-9][0-9A-Za-z.-]*)$")
    set(version ${CMAKE_MATCH_1})
  endif()
endif()
# What --version says: of a tagged commit the version alone.
set(version_text ${version})
if(commit AND (dirty OR NOT tag))
  string(SUBSTRING ${commit} 0 12 short)
  string(APPEND version_text "+${short}")
  if(dirty)
    string(APPEND version_text ".changed")
  endif()
endif()

set(text "#define VOXMARK_VERSION \"${version}\"\n#define VOXMARK_VERSION_TEXT \"${version_text}\"\n")
string(APPEND text "#define VOXMARK_COMMIT \"${commit}\"\n#define VOXMARK_DIRTY ${dirty}\n")
if(EXISTS ${HEADER})
  file(READ ${HEADER} old)
endif()
if(NOT "${old}" STREQUAL "${text}")
  file(WRITE ${HEADER} "${text}")
endif()
