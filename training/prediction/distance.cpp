#include "training/prediction/distance.h"

#include <cassert>
#include <limits>

namespace voxmark {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// The lower envelope of parabolas over a line of points, and room for it.
class Envelope {
 public:
  Envelope(std::size_t points, double spacing)
      : spacing_(spacing), values_(points), vertices_(points), starts_(points + 1) {}

  double& value(std::size_t point) { return values_[point]; }

  // Calls set(point, least of value(other) + square of its distance).
  template <class Set>
  void transform(const Set& set) {
    std::size_t count = 0;  // of parabolas that are the lowest somewhere
    for (std::size_t point = 0; point < values_.size(); ++point) {
      if (values_[point] < kInfinite) {
        count = add(point, count);
      }
    }
    if (count == 0) {
      return;
    }
    starts_[count] = kInfinite;
    std::size_t lowest = 0;
    for (std::size_t point = 0; point < values_.size(); ++point) {
      while (starts_[lowest + 1] < static_cast<double>(point)) {
        ++lowest;
      }
      const double distance = spacing_ * apart(point, vertices_[lowest]);
      set(point, values_[vertices_[lowest]] + distance * distance);
    }
  }

 private:
  static double apart(std::size_t a, std::size_t b) {
    return static_cast<double>(a) - static_cast<double>(b);
  }

  // Puts the parabola of `point`, right of all others, over those that it leaves the lowest
  // somewhere. Returns how many there are.
  std::size_t add(std::size_t point, std::size_t count) {
    double start = -kInfinite;
    while (count > 0) {
      start = crossing(vertices_[count - 1], point);
      if (start > starts_[count - 1]) {
        break;
      }
      --count;
      start = -kInfinite;
    }
    vertices_[count] = point;
    starts_[count] = start;
    return count + 1;
  }

  // Where the parabola of `right` becomes the lower one.
  double crossing(std::size_t left, std::size_t right) const {
    const double height = (values_[right] - values_[left]) / (spacing_ * spacing_);
    return (height / apart(right, left) + static_cast<double>(right + left)) / 2;
  }

  double spacing_;
  std::vector<double> values_;
  std::vector<std::size_t> vertices_;
  std::vector<double> starts_;  // of each parabola, as places of points
};

void along(std::size_t axis, std::vector<double>& squares, const Extents& extents, double spacing) {
  const std::size_t points = extents[axis];
  std::size_t stride = 1;
  for (std::size_t inner = 0; inner < axis; ++inner) {
    stride *= extents[inner];
  }
  Envelope envelope(points, spacing);
  for (std::size_t first = 0; first < squares.size(); first += stride * points) {
    for (std::size_t start = first; start < first + stride; ++start) {
      for (std::size_t point = 0; point < points; ++point) {
        envelope.value(point) = squares[start + point * stride];
      }
      envelope.transform(
          [&](std::size_t point, double square) { squares[start + point * stride] = square; });
    }
  }
}

}  // namespace

void squared_distances(std::vector<double>& squares, const Extents& extents,
                       const std::array<double, 3>& spacing) {
  assert(squares.size() == extents[0] * extents[1] * extents[2]);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    along(axis, squares, extents, spacing[axis]);
  }
}

}  // namespace voxmark
