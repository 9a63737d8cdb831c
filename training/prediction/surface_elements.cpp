#include "training/prediction/surface_elements.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <vector>

namespace voxmark {
namespace {

// In half edges of the cube: 0, 1, 2 along each axis. The surface cuts edges in their middles.
using Point = std::array<int, 3>;
using Polygon = std::vector<Point>;

bool is_inside(unsigned code, const Point& corner) {
  const int bit = (corner[0] + 2 * corner[1] + 4 * corner[2]) / 2;
  return (code >> static_cast<unsigned>(bit) & 1U) != 0;
}

Point middle(const Point& a, const Point& b) {
  return {(a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2};
}

struct Line {
  Point from;
  Point to;
};

// Where the surface crosses the cube's faces.
std::vector<Line> lines_on_faces(unsigned code) {
  std::vector<Line> lines;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    for (const int side : {0, 2}) {
      std::array<Point, 4> corners{};  // once around the face
      constexpr std::array<std::array<int, 2>, 4> kAround = {{{0, 0}, {2, 0}, {2, 2}, {0, 2}}};
      for (std::size_t i = 0; i < 4; ++i) {
        corners[i][axis] = side;
        corners[i][(axis + 1) % 3] = kAround[i][0];
        corners[i][(axis + 2) % 3] = kAround[i][1];
      }
      std::vector<Point> cuts;
      for (std::size_t i = 0; i < 4; ++i) {
        if (is_inside(code, corners[i]) != is_inside(code, corners[(i + 1) % 4])) {
          cuts.push_back(middle(corners[i], corners[(i + 1) % 4]));
        }
      }
      if (cuts.size() == 2) {
        lines.push_back({cuts[0], cuts[1]});
      } else if (cuts.size() == 4) {  // two corners inside, across: each is cut off by itself
        const std::size_t first = is_inside(code, corners[0]) ? 3 : 0;
        lines.push_back({cuts[first], cuts[(first + 1) % 4]});
        lines.push_back({cuts[(first + 2) % 4], cuts[(first + 3) % 4]});
      }
    }
  }
  return lines;
}

// The lines joined: each point is the end of two of them.
std::vector<Polygon> polygons(std::vector<Line> lines) {
  std::vector<Polygon> found;
  while (!lines.empty()) {
    Polygon polygon = {lines.back().from};
    Point end = lines.back().to;
    lines.pop_back();
    while (end != polygon.front()) {
      polygon.push_back(end);
      for (std::size_t i = 0; i < lines.size(); ++i) {
        if (lines[i].from == end || lines[i].to == end) {
          end = lines[i].from == end ? lines[i].to : lines[i].from;
          lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(i));
          break;
        }
      }
    }
    found.push_back(std::move(polygon));
  }
  return found;
}

double triangle(const Point& a, const Point& b, const Point& c,
                const std::array<double, 3>& spacing) {
  std::array<double, 3> first{};
  std::array<double, 3> second{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    first[axis] = 0.5 * spacing[axis] * (b[axis] - a[axis]);
    second[axis] = 0.5 * spacing[axis] * (c[axis] - a[axis]);
  }
  return 0.5 * std::hypot(first[1] * second[2] - first[2] * second[1],
                          first[2] * second[0] - first[0] * second[2],
                          first[0] * second[1] - first[1] * second[0]);
}

// All triangles have the corner `from`.
double fan(const Polygon& polygon, std::size_t from, const std::array<double, 3>& spacing) {
  double area = 0;
  for (std::size_t i = 1; i + 1 < polygon.size(); ++i) {
    area += triangle(polygon[from], polygon[(from + i) % polygon.size()],
                     polygon[(from + i + 1) % polygon.size()], spacing);
  }
  return area;
}

// Of the fans of a polygon that is not flat, the reference has the one that is largest in a cube,
// whatever the spacing. Where two are, they have the same area at any spacing.
std::size_t start_of_fan(const Polygon& polygon) {
  constexpr std::array<double, 3> kCube = {1, 1, 1};
  constexpr double kRounding = 1e-9;
  std::size_t largest = 0;
  for (std::size_t i = 1; i < polygon.size(); ++i) {
    if (fan(polygon, i, kCube) > fan(polygon, largest, kCube) + kRounding) {
      largest = i;
    }
  }
  return largest;
}

}  // namespace

std::array<double, 256> surface_element_areas(const std::array<double, 3>& spacing) {
  std::array<double, 256> areas{};
  for (unsigned code = 0; code < areas.size(); ++code) {
    // The same surface from the other side: where it is unclear, the fewer corners are cut off.
    const unsigned fewer = std::popcount(code) > 4 ? 255U - code : code;
    for (const Polygon& polygon : polygons(lines_on_faces(fewer))) {
      areas[code] += fan(polygon, start_of_fan(polygon), spacing);
    }
  }
  return areas;
}

}  // namespace voxmark
