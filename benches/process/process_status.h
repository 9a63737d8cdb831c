// What Linux tells about a process's memory, from /proc/PID/status.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace voxmark {

// The figure of one "NAME:   123 kB" line of a /proc/PID/status text, in bytes.
std::optional<std::int64_t> status_bytes(const std::string& status, const std::string& name);

// "VmHWM" (high-water mark of resident memory), "VmRSS" (resident now), ... of a process; 0 is this
// one. Nothing when the process is gone. Never ru_maxrss: a child inherits its parent's.
std::optional<std::int64_t> process_bytes(pid_t process, const std::string& name);

// Sets this process's VmHWM back to VmRSS. False where the kernel does not allow it.
bool reset_peak();

}  // namespace voxmark
