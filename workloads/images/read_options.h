// What a user accepts of a data folder's files that is refused otherwise.
#pragma once

#include <string>
#include <vector>

namespace voxmark {

// Of the flags.
constexpr const char* kFollowLinksHelp = "read images and labels that are links out of the folder";
constexpr const char* kAffineToleranceHelp =
    "millimetres by which the affines of an image and its label may differ";

struct ReadOptions {
  // dataset.json, images and labels may be links out of the folder: archives, caches, git-annex.
  bool follow_links = false;
  // Millimetres between the elements of an image's and its label's affine. They come from different
  // programs, through float32: what is below a thousandth is rounding, and no scanner resolves it.
  double affine_tolerance = 1e-3;

  friend bool operator==(const ReadOptions&, const ReadOptions&) = default;
};

// The words on the command line that say so: {"--follow-links"}; none where nothing was asked for.
std::vector<std::string> flags_of(const ReadOptions& reading);

}  // namespace voxmark
