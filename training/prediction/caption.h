// Words in pictures: capitals and digits of 5 x 7 pixels, so that no font is needed.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace voxmark {

struct Picture {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> rgb;  // rows from the top, (height, width, 3)
};

using Rgb = std::array<std::uint8_t, 3>;

constexpr std::int64_t kTextHeight = 14;  // of a line, without space around it

// How wide write_text() will be.
std::int64_t text_width(std::string_view text);

// Writes capitals, digits and blanks with their upper left corner at (left, top); what lies beyond
// the picture is left out. Other characters show as blanks.
void write_text(Picture& picture, std::int64_t left, std::int64_t top, std::string_view text,
                const Rgb& colour);

// Fills a rectangle, as far as it lies in the picture.
void fill(Picture& picture, std::int64_t left, std::int64_t top, std::int64_t width,
          std::int64_t height, const Rgb& colour);

}  // namespace voxmark
