// What the passes' tests share: naive in double as the reference, layouts, and tolerances.
//
// Inputs are floats, so the reference sees the same numbers; what is left is the rounding of float
// arithmetic: a few units (6e-8) of the largest term of each result, stated as kRounding times the
// sum of the terms' magnitudes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ostream>
#include <utility>
#include <vector>

#include "backends/interpreter/interpreter.h"
#include "backends/naive/kernels.h"
#include "backends/passes/passes.h"
#include "backends/plan/arena.h"
#include "workloads/network/philox.h"

namespace voxmark::passes {

constexpr double kRounding = 4 * 6e-8;  // up to four roundings on the way to a result
constexpr int kThreads = 2;

using Values = std::vector<double>;

// Floats in [-1, 1) as doubles.
inline Values random_values(std::int64_t count, std::uint64_t stream) {
  Values values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<double>(2.0F * uniform(1, stream, i) - 1.0F);
  }
  return values;
}

inline Values random_bits(std::int64_t count, std::uint64_t stream) {
  Values values = random_values(count, stream);
  for (double& x : values) {
    x = x > 0.3 ? 1.0 : 0.0;
  }
  return values;
}

inline std::vector<float> to_floats(const Values& values) { return {values.begin(), values.end()}; }

// Runs single ops of NaiveKernels<double> on tensors given as values.
class Reference {
 public:
  TensorId tensor(Shape shape, Values values = {}) {
    return add(std::move(shape), std::move(values), TensorRole::parameter);
  }
  TensorId reduction(Shape shape, Values values = {}) {
    return add(std::move(shape), std::move(values), TensorRole::reduction);
  }
  const Values& operator[](TensorId id) const { return values_[static_cast<std::size_t>(id)]; }

  template <class AnyOp>
  void run(const AnyOp& op) {
    const TensorLayout layout = lay_out_tensors(program_, sizeof(double), 0, {});
    const Arena arena(layout.arena_bytes, 1);
    const Tensors<double> tensors(program_, layout, arena);
    for_each_tensor(tensors, [](double* data, Values& values) {
      std::copy(values.begin(), values.end(), data);
    });
    NaiveKernels<double>(program_, CompileOptions{Precision::fp64, 1, {}}).execute(op, tensors);
    for_each_tensor(tensors, [](const double* data, Values& values) {
      std::copy_n(data, values.size(), values.begin());
    });
  }

 private:
  TensorId add(Shape shape, Values values, TensorRole role) {
    values.resize(static_cast<std::size_t>(elements(shape)));
    program_.tensors.push_back({"", std::move(shape), role});
    values_.push_back(std::move(values));
    return static_cast<TensorId>(values_.size()) - 1;
  }
  template <class Visit>
  void for_each_tensor(const Tensors<double>& tensors, Visit visit) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const TensorId id = static_cast<TensorId>(i);
      const bool is_reduction = program_.tensor(id).role == TensorRole::reduction;
      visit(is_reduction ? tensors.reduction(id) : tensors.data(id), values_[i]);
    }
  }
  Program program_;
  std::vector<Values> values_;
};

inline void expect_near(const std::vector<float>& found, const Values& expected,
                        const Values& scale, double tolerance = kRounding) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_LE(std::abs(static_cast<double>(found[i]) - expected[i]), tolerance * scale[i])
        << "element " << i << ": found " << found[i] << ", expected " << expected[i];
  }
}

inline void expect_near(const std::vector<float>& found, const Values& expected, double scale) {
  expect_near(found, expected, Values(expected.size(), scale));
}

inline void expect_exact(const std::vector<float>& found, const Values& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(static_cast<double>(found[i]), expected[i]) << "element " << i;
  }
}

// ---- Layouts ----

struct Case {
  std::int64_t n, d, h, w, channels;
  std::int64_t block;  // 0: channels last

  PanelShape shape() const { return shape_of(d, h, w); }
  PanelShape shape_of(std::int64_t dd, std::int64_t hh, std::int64_t ww) const {
    return block == 0 ? channels_last(n, dd, hh, ww, channels)
                      : blocked(n, dd, hh, ww, channels, block);
  }
  Shape ndhwc() const { return {n, d, h, w, channels}; }
};

inline std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.n << " x " << c.d << " x " << c.h << " x " << c.w << " x " << c.channels
             << ", block " << c.block;
}

// Where element i of (N, D, H, W, C) lies in a tensor of this shape.
inline std::size_t position(const PanelShape& s, std::int64_t i) {
  const std::int64_t c = i % s.channels(), voxel = i / s.channels() % s.voxels();
  const std::int64_t sample = i / s.channels() / s.voxels();
  return static_cast<std::size_t>(
      ((sample * s.panels + c / s.width) * s.voxels() + voxel) * s.width + c % s.width);
}

inline std::vector<float> to_layout(const PanelShape& shape, const Values& ndhwc) {
  std::vector<float> data(ndhwc.size());
  for (std::size_t i = 0; i < ndhwc.size(); ++i) {
    data[position(shape, static_cast<std::int64_t>(i))] = static_cast<float>(ndhwc[i]);
  }
  return data;
}

inline std::vector<float> from_layout(const PanelShape& shape, const std::vector<float>& data) {
  std::vector<float> ndhwc(data.size());
  for (std::size_t i = 0; i < ndhwc.size(); ++i) {
    ndhwc[i] = data[position(shape, static_cast<std::int64_t>(i))];
  }
  return ndhwc;
}

inline std::vector<float> output(const PanelShape& shape) {
  return std::vector<float>(static_cast<std::size_t>(shape.elements()), -77.0F);
}

inline std::vector<std::byte> scratch(std::int64_t bytes) {
  return std::vector<std::byte>(static_cast<std::size_t>(bytes), std::byte{0xFF});
}

// Odd dims, widths on both sides of every vector width, several panels, several pieces per panel.
inline std::vector<Case> layouts() {
  return {{2, 3, 5, 7, 16, 0},    {1, 3, 5, 7, 1, 0},     {2, 3, 2, 5, 3, 0},  {2, 4, 3, 6, 4, 0},
          {1, 5, 3, 7, 8, 0},     {1, 3, 3, 3, 24, 0},    {2, 3, 5, 7, 32, 0}, {1, 2, 3, 2, 61, 0},
          {1, 3, 2, 3, 256, 0},   {2, 13, 15, 17, 16, 0}, {2, 3, 5, 7, 16, 8}, {2, 3, 5, 7, 32, 16},
          {1, 13, 15, 17, 48, 16}};
}

}  // namespace voxmark::passes
