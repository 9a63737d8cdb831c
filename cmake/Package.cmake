# A tarball that runs where it is unpacked: without root, network or Debian. `cpack` in a build
# folder writes it; ci/package does all of it.
#
# The program finds its libraries beside itself. Only glibc is the server's own, and must be no
# older than the one that this was linked with.
include(GNUInstallDirs)

# RPATH, not RUNPATH: the libraries' own libraries are looked for there, too.
target_link_options(voxmark PRIVATE -Wl,--disable-new-dtags)
set_target_properties(voxmark PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/voxmark")
install(TARGETS voxmark RUNTIME_DEPENDENCY_SET voxmark_libraries RUNTIME DESTINATION bin)
install(RUNTIME_DEPENDENCY_SET voxmark_libraries
  PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread)\\.so"
  LIBRARY DESTINATION lib/voxmark)

install(FILES README.md CHANGELOG.md CITATION.cff CONTRIBUTING.md LICENSE NOTICE SECURITY.md
  DESTINATION share/voxmark)
install(DIRECTORY docs DESTINATION share/voxmark)
install(FILES benches/protocol/PROTOCOL.md benches/protocol/protocol.schema.json
  DESTINATION share/voxmark/benches/protocol)
# With an environment of theirs in .peers or $VOXMARK_PEERS, frameworks are backends here, too.
install(DIRECTORY tools/peers DESTINATION share/voxmark
  FILES_MATCHING PATTERN "*.py" PATTERN "*.txt" PATTERN "__pycache__" EXCLUDE)
set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_FILE_NAME "voxmark-${PROJECT_VERSION}-${CMAKE_SYSTEM_PROCESSOR}")
set(CPACK_STRIP_FILES ON)
include(CPack)
