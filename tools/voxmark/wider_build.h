// A package's voxmark is built for many servers; on one with AVX-512 its sibling that is built for
// that takes its place.
#pragma once

namespace voxmark {

// Becomes that program, with the same arguments. Returns where this one's kernels are as wide,
// where the CPU or the sibling is not there, and where this is a sibling itself: who names one
// wants it.
void become_wider_build(char** arguments);

}  // namespace voxmark
