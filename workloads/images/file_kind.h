// What a file is that is no NIfTI image: by its first bytes, in words, with the way to an image.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace voxmark {

// "a Git LFS pointer, not the file itself: git lfs pull fetches it"; "" where the bytes say
// nothing. `first`: the first bytes of the file, unpacked where it is gzip; 512 are enough.
// `plain_text`: whether text that is nothing known is named, too.
std::string file_kind(std::span<const std::byte> first, bool plain_text = true);

}  // namespace voxmark
