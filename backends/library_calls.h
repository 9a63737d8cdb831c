// For tests: what runs inside of the library of a backend, apart from the backend's own code.
#pragma once

namespace voxmark {

// From now on calls `before` and `after` around every execution of a primitive of the library. A
// program is watched that links the target of the backend's calls: voxmark::onednn_calls.
void watch_library_calls(void (*before)(), void (*after)());

}  // namespace voxmark
