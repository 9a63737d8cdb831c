// What every backend of this build tells of its plan.
#include <gtest/gtest.h>

#include <algorithm>

#include "backends/plan/plan_by_layer.h"
#include "backends/registry/registry.h"
#include "workloads/network/cost.h"

namespace voxmark {
namespace {

struct Shape3d {
  UnetOptions network;
  std::int64_t images;
  Dims dims;
};

std::int64_t in_use_at(const MemoryPlan& plan, int step) {
  std::int64_t sum = 0;
  for (const PlannedBuffer& buffer : plan.buffers) {
    sum += buffer.first_step <= step && step <= buffer.last_step ? buffer.bytes : 0;
  }
  return sum;
}

void expect_whole(const std::string& name, const Shape3d& shape, const Program& program,
                  const MemoryPlan& plan) {
  const PlanByLayer layers = plan_by_layer(name, unet3d(shape.network), program, plan);
  EXPECT_EQ(layers.total_bytes, plan.total_bytes());
  std::int64_t bytes = 0, work = 0, parameters = 0, gaps = 0;
  for (const LayerBytes& row : layers.rows) {
    bytes += row.total();
    gaps += row.layer == kGaps ? row.other : 0;
    EXPECT_GE(row.total(), 0) << row.layer;
    if (row.facts) {
      work += row.facts->forward_flops + row.facts->backward_flops;
      parameters += row.facts->parameters();
    }
  }
  EXPECT_EQ(bytes, plan.total_bytes());
  EXPECT_EQ(work, flops(program));
  EXPECT_EQ(parameters, count_parameters(program).total());
  ASSERT_TRUE(layers.peak_step);
  ASSERT_EQ(layers.steps, static_cast<int>(plan.steps.size()));
  EXPECT_EQ(in_use_at(plan, *layers.peak_step) + gaps, plan.total_bytes());
  for (int step = 0; step < layers.steps; ++step) {
    EXPECT_LE(in_use_at(plan, step), in_use_at(plan, *layers.peak_step)) << step;
  }
}

std::vector<std::string> computing_names() {
  std::vector<std::string> names;
  for (const RegisteredBackend& entry : registered_backends()) {
    if (entry.backend != nullptr && entry.backend->computes()) {
      names.push_back(entry.name);
    }
  }
  return names;
}

class Plans : public testing::TestWithParam<std::string> {};

TEST_P(Plans, TellWhereEveryByteLies) {
  const Backend& backend = *find_backend(GetParam()).backend;
  for (const Shape3d& shape : {Shape3d{{}, 1, {16, 16, 16}}, Shape3d{{4, 2, 3}, 2, {32, 48, 16}},
                               Shape3d{{}, 2, {64, 64, 64}}}) {
    const Program program = lower(unet3d(shape.network), shape.images, shape.dims, Mode::training);
    for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::fp64}) {
      CompileOptions options{precision, 2, {}};
      if (backend.unsupported(program, options)) {
        continue;
      }
      SCOPED_TRACE(to_string(shape.dims) + " " + to_string(precision));
      const MemoryPlan plan = backend.plan(program, options);
      expect_whole(GetParam(), shape, program, plan);
      // Computed again as far as it goes, and in part.
      for (const std::int64_t limit : {std::int64_t{1}, plan.total_bytes() * 9 / 10}) {
        options.memory_limit_bytes = limit;
        expect_whole(GetParam(), shape, program, backend.plan(program, options));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Plans, testing::ValuesIn(computing_names()),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace voxmark
