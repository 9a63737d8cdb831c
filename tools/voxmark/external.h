// Subcommands that are programs of their own: `voxmark NAME` runs voxmark-NAME, which lies beside
// voxmark or in PATH, as git finds its subcommands.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace voxmark {

// Where `voxmark-NAME` lies: in `folder` first, then in the folders of `path`, which is as $PATH.
// Nothing for what is no name of a subcommand (an option, a path, an empty text).
std::optional<std::string> find_external(const std::string& name, const std::string& folder,
                                         const std::string& path);

// The folder that the running program lies in.
std::string program_folder();

// Becomes that program, so that its exit code is voxmark's. Returns only by throwing
// Error (internal).
[[noreturn]] void become_external(const std::string& program,
                                  const std::vector<std::string>& arguments);

}  // namespace voxmark
