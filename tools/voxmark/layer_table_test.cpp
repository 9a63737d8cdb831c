#include "tools/voxmark/layer_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <sstream>

#include "backends/plan/keeps_everything.h"
#include "backends/registry/registry.h"

namespace voxmark {
namespace {

using testing::HasSubstr;
using testing::Not;

CaseSpec example_spec(const Dims& image, std::int64_t batch) {
  CaseSpec spec;
  spec.image = image;
  spec.batch = batch;
  return spec;
}

LayeredPlan example_plan(const Backend& backend, const CaseSpec& spec) {
  const Network network = unet3d(spec.network);
  const Program program = lower(network, spec.batch, spec.image, Mode::training);
  const std::string name(backend.name());
  const MemoryPlan plan = backend.plan(program, {Precision::fp32, 1, {}});
  return {name, plan_by_layer(name, network, program, plan)};
}

// As RFC 4180 has it.
std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (const char byte : line) {
    if (byte == '"') {
      quoted = !quoted;
    } else if (byte == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += byte;
    }
  }
  return fields;
}

TEST(LayerTable, OfThePapersStepFitsIntoATerminal) {
  const CaseSpec spec = example_spec({240, 240, 144}, 16);
  for (const Backend* backend : {&keeps_everything_backend(), find_backend("naive").backend}) {
    const LayeredPlan plan = example_plan(*backend, spec);
    for (const std::optional<std::size_t> columns :
         {std::optional<std::size_t>(), std::optional<std::size_t>(60),
          std::optional<std::size_t>(80), std::optional<std::size_t>(100)}) {
      const std::string text = layer_text(spec, plan, columns);
      EXPECT_THAT(text, HasSubstr("240x240x144x16"));
      std::istringstream lines(text);
      for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(line.size(), columns.value_or(120)) << line;
      }
    }
  }
}

TEST(LayerTable, SumsAndNamesAreThoseOfTheModel) {
  const CaseSpec spec = example_spec({16, 16, 16}, 1);
  const LayeredPlan plan = example_plan(*find_backend("naive").backend, spec);
  const std::string text = layer_text(spec, plan, std::nullopt);
  EXPECT_THAT(text, HasSubstr("encodeA_conv0  Conv3D          16x16x16x16"));
  EXPECT_THAT(text, HasSubstr("transconvE     Conv3DTranspose"));
  EXPECT_THAT(text, HasSubstr(" 5650801 "));
  EXPECT_THAT(text, HasSubstr(std::to_string(plan.layers.total_bytes) + " bytes"));
  EXPECT_THAT(text, HasSubstr("in the backward pass: convOut_bn1 (normalize_relu_apply)"));
  EXPECT_THAT(text, HasSubstr("340656 per voxel"));
  EXPECT_THAT(text, Not(HasSubstr("Assumed")));
  const CaseSpec larger = example_spec({64, 64, 64}, 1);  // statistics are few beside images
  EXPECT_THAT(layer_text(larger, example_plan(keeps_everything_backend(), larger), std::nullopt),
              HasSubstr("Without weights: 2768 bytes per voxel"));
}

TEST(LayerTable, CsvHasALinePerLayerAndAddsUp) {
  const CaseSpec spec = example_spec({16, 32, 16}, 2);
  const std::vector<LayeredPlan> plans = {example_plan(*find_backend("naive").backend, spec),
                                          example_plan(keeps_everything_backend(), spec)};
  std::istringstream lines(layer_csv(plans));
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> header = fields_of(line);
  const auto column = [&](const char* name) {
    const auto found = std::find(header.begin(), header.end(), name);
    EXPECT_NE(found, header.end()) << name;
    return static_cast<std::size_t>(found - header.begin());
  };
  for (const LayeredPlan& plan : plans) {
    std::int64_t total = 0, parts = 0;
    double shares = 0;
    for (const LayerBytes& row : plan.layers.rows) {
      ASSERT_TRUE(std::getline(lines, line));
      const std::vector<std::string> fields = fields_of(line);
      ASSERT_EQ(fields.size(), header.size()) << line;
      EXPECT_EQ(fields[column("backend")], plan.backend);
      EXPECT_EQ(fields[column("layer")], row.layer);
      total += std::stoll(fields[column("total_bytes")]);
      shares += std::stod(fields[column("share")]);
      for (const char* part : {"forward_bytes", "backward_bytes", "weight_bytes", "other_bytes"}) {
        parts += std::stoll(fields[column(part)]);
      }
    }
    EXPECT_EQ(total, plan.layers.total_bytes);
    EXPECT_EQ(parts, plan.layers.total_bytes);
    EXPECT_NEAR(shares, 1, 1e-9);
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST(LayerTable, JsonTellsThePeakAndEveryBuffer) {
  const CaseSpec spec = example_spec({16, 16, 16}, 1);
  const std::vector<LayeredPlan> plans = {example_plan(*find_backend("naive").backend, spec),
                                          example_plan(keeps_everything_backend(), spec)};
  const Json json = layer_json(spec, plans);
  EXPECT_EQ(json["schema"], "voxmark.plan-by-layer/1");
  EXPECT_EQ(json["plans"][0]["peak"]["layer"], "convOut_bn1");
  EXPECT_EQ(json["plans"][1]["peak"], nullptr);
  for (const Json& plan : json["plans"]) {
    std::int64_t in_use = 0;
    for (const Json& buffer : plan["buffers"]) {
      in_use += buffer["at_peak"].get<bool>() ? buffer["bytes"].get<std::int64_t>() : 0;
    }
    std::int64_t gaps = 0;
    for (const Json& layer : plan["layers"]) {
      gaps += layer["layer"] == kGaps ? layer["total_bytes"].get<std::int64_t>() : 0;
    }
    EXPECT_EQ(in_use + gaps, plan["planned_bytes"]);
  }
}

}  // namespace
}  // namespace voxmark
