// Cleans up after us when we are killed and cannot: a process of its own that waits for our end,
// then kills our children's groups and removes our temporary folders. It sleeps until then. Where
// it cannot be started, nothing is cleaned up.
#pragma once

#include <sys/types.h>

#include <string>

namespace voxmark {

// For a process that somebody else has started: it is killed when `parent` ends, at once where that
// has ended already. `parent`: what getppid() has said.
void end_with_parent(pid_t parent);

// A process group, by its leader's id.
void guard_group(pid_t group);
void release_group(pid_t group);

// A folder that nobody needs without us.
void guard_folder(const std::string& path);
void release_folder(const std::string& path);

}  // namespace voxmark
