#include "workloads/network/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/error.h"
#include "base/json.h"

namespace voxmark {
namespace {

class SafetensorsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(testing::TempDir()) / fmt::format("safetensors_test.{}", getpid());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return (folder_ / "weights.safetensors").string(); }

  // A file of a given header and data; `header_bytes` defaults to the truth.
  void write_raw(const std::string& header, const std::string& data,
                 std::optional<std::uint64_t> header_bytes = {}) const {
    const std::uint64_t length = header_bytes.value_or(header.size());
    std::string text(8, '\0');
    std::memcpy(text.data(), &length, 8);
    std::ofstream(path(), std::ios::binary) << text << header << data;
  }

  // The message that opening the file throws; empty when it opens.
  std::string open_error() const {
    try {
      SafetensorsFile file(path());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_EQ(std::string(error.what()).find(path()), 0U) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      return error.what();
    }
    return "";
  }

  std::string error_of(const std::string& header, const std::string& data) const {
    write_raw(header, data);
    return open_error();
  }

  std::filesystem::path folder_;
};

TEST_F(SafetensorsTest, ReadsBackWhatItWrote) {
  const std::vector<float> kernel = {1.5F, -2.0F, 0x1p-140F, 3.0F, 4.0F, 0.1F};
  const std::vector<double> moment = {0.1, -1e300};
  const std::vector<float> step = {7.0F};
  std::vector<double> large(300'000);  // more than one piece
  for (std::size_t i = 0; i < large.size(); ++i) {
    large[i] = std::sqrt(static_cast<double>(i));
  }
  const std::vector<TensorView> tensors = {{"step", {}, std::span(step)},
                                           {"conv/kernel", {1, 2, 3}, std::span(kernel)},
                                           {"empty", {0, 5}, std::span<const float>()},
                                           {"conv/m", {2}, std::span(moment)},
                                           {"large", {3, 100'000}, std::span(large)}};
  write_safetensors(path(), tensors, {{"model", "{\"filters\": 16}"}});

  const SafetensorsFile file(path());
  EXPECT_EQ(file.metadata().at("model"), "{\"filters\": 16}");
  ASSERT_EQ(file.entries().size(), 5U);
  EXPECT_EQ(file.entry("conv/kernel").dtype, "F32");
  EXPECT_EQ(file.entry("conv/kernel").shape, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(file.entry("conv/m").dtype, "F64");
  EXPECT_EQ(file.read_floats("conv/kernel"), kernel);
  EXPECT_EQ(file.read_doubles("conv/m"), moment);
  EXPECT_EQ(file.read_floats("step"), step);
  EXPECT_TRUE(file.entry("step").shape.empty());
  EXPECT_EQ(file.read_doubles("large"), large);
  EXPECT_EQ(file.read_floats("large")[299'999], static_cast<float>(large[299'999]));
  EXPECT_TRUE(file.read_doubles("empty").empty());
  EXPECT_FALSE(file.contains("conv"));
  EXPECT_THROW(file.entry("conv"), Error);
}

TEST_F(SafetensorsTest, HoldsNoTensorsWhenNoneAreWritten) {
  write_safetensors(path(), {});
  EXPECT_TRUE(SafetensorsFile(path()).entries().empty());
}

TEST_F(SafetensorsTest, ReadsIntegersAndScalars) {
  std::string data(9, '\0');
  const std::int64_t minus_three = -3;
  std::memcpy(data.data(), &minus_three, 8);
  data[8] = static_cast<char>(200);
  write_raw(R"({"t":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
            R"("label":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}}   )",
            data);
  const SafetensorsFile file(path());
  EXPECT_EQ(file.read_doubles("t"), std::vector<double>{-3});
  EXPECT_EQ(file.read_floats("label"), std::vector<float>{200});
}

TEST_F(SafetensorsTest, RefusesABrokenFrame) {
  std::ofstream(path()) << "1234567";
  EXPECT_NE(open_error().find("7 bytes, expected at least 8"), std::string::npos);
  write_raw("{}", "", 3);
  EXPECT_NE(open_error().find("header length 3, expected at most 2"), std::string::npos);
  write_raw("{}", "", ~std::uint64_t{0});
  EXPECT_NE(open_error().find("header length"), std::string::npos);
  EXPECT_NE(error_of("[]", ""), "");
  EXPECT_NE(error_of("{", ""), "");
  EXPECT_NE(error_of("", ""), "");
  EXPECT_NE(error_of("{}", "x").find("1 bytes of data, expected 0"), std::string::npos);
  EXPECT_EQ(error_of("{}", ""), "");
  std::filesystem::remove(path());
  EXPECT_NE(open_error().find("No such file"), std::string::npos);
  std::filesystem::create_directory(path());
  EXPECT_NE(open_error().find("not a regular file"), std::string::npos);
}

TEST_F(SafetensorsTest, RefusesEntriesThatContradictTheFile) {
  const std::string eight(8, '\0');
  const auto one = [](const std::string& dtype, const std::string& shape,
                      const std::string& offsets) {
    return "{\"a\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}}";
  };
  EXPECT_EQ(error_of(one("F32", "[2]", "[0,8]"), eight), "");
  EXPECT_NE(error_of(one("F16", "[4]", "[0,8]"), eight).find("dtype F16"), std::string::npos);
  EXPECT_NE(error_of(one("F32", "[3]", "[0,8]"), eight).find("8 bytes, expected 12"),
            std::string::npos);
  EXPECT_NE(error_of(one("F32", "[3]", "[0,12]"), eight).find("data_offsets [0, 12]"),
            std::string::npos);
  EXPECT_NE(error_of(one("F32", "[2]", "[8,0]"), eight), "");
  EXPECT_NE(error_of(one("F32", "[-2]", "[0,8]"), eight).find("-2"), std::string::npos);
  EXPECT_NE(error_of(one("F32", "[2.0]", "[0,8]"), eight), "");
  EXPECT_NE(error_of(one("F32", "[18446744073709551615]", "[0,8]"), eight), "");
  EXPECT_NE(error_of(one("F32", "[4294967296,4294967296]", "[0,0]"), "").find("overflows"),
            std::string::npos);
  EXPECT_NE(error_of(one("F64", "[2305843009213693952]", "[0,0]"), "").find("overflows"),
            std::string::npos);
  EXPECT_NE(error_of(one("F32", "2", "[0,8]"), eight), "");
  EXPECT_NE(error_of(one("F32", "[2]", "[0,4,8]"), eight), "");
  EXPECT_NE(error_of(one("F32", "[1]", "[0,4]"), eight).find("8 bytes of data, expected 4"),
            std::string::npos);
  EXPECT_NE(error_of(one("F32", "[1]", "[4,8]"), eight).find("leave a gap"), std::string::npos);
  EXPECT_NE(error_of(R"({"a":{"dtype":"F32","shape":[2]}})", eight), "");
  EXPECT_NE(error_of(R"({"a":7})", eight), "");
  EXPECT_NE(error_of(R"({"__metadata__":{"x":7}})", ""), "");
}

TEST_F(SafetensorsTest, RefusesOverlapsAndDuplicateNames) {
  const std::string a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const std::string b = R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]})";
  EXPECT_NE(error_of("{" + a + "," + b + "}", std::string(12, '\0')).find("overlap"),
            std::string::npos);
  EXPECT_NE(error_of("{" + a + "," + a + "}", std::string(8, '\0')).find("\"a\" stands twice"),
            std::string::npos);
}

TEST_F(SafetensorsTest, RefusesToWriteWhatContradictsItself) {
  const std::vector<float> two = {1, 2};
  const auto write = [&](const std::vector<TensorView>& tensors) {
    write_safetensors(path(), tensors);
  };
  EXPECT_THROW(write({{"a", {3}, std::span(two)}}), Error);
  EXPECT_THROW(write({{"a", {-1, -2}, std::span<const float>()}}), Error);
  EXPECT_THROW(write({{"a", {2}, std::span(two)}, {"a", {2}, std::span(two)}}), Error);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(SafetensorsTest, LeavesNoFileWhenTheDeviceIsFull) {
  if (!std::filesystem::exists("/dev/full")) {
    GTEST_SKIP() << "no /dev/full here";
  }
  const std::vector<float> two = {1, 2};
  const std::vector<TensorView> tensors = {{"a", {2}, std::span(two)}};
  EXPECT_THROW(write_safetensors("/dev/full", tensors), Error);
}

TEST_F(SafetensorsTest, ReadsTheReferenceRuns) {
  const std::string folder = VOXMARK_SOURCE_DIR "/../shared/reference";
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << "no reference runs beside the checkout";
  }
  int files = 0;
  for (const auto& found : std::filesystem::directory_iterator(folder)) {
    if (found.path().extension() != ".safetensors") {
      continue;
    }
    ++files;
    const SafetensorsFile file(found.path());
    const Json reference = parse_json(file.metadata().at("reference"), "reference");
    std::vector<std::int64_t> shape = {reference["batch"].get<std::int64_t>()};
    for (const Json& extent : reference["image"]) {
      shape.push_back(extent.get<std::int64_t>());
    }
    shape.push_back(reference["input_channels"].get<std::int64_t>());
    EXPECT_EQ(file.entry("input").shape, shape);
    // Norms that the reference's own program took of its gradients.
    for (const auto& [name, norm] : reference["gradient_l2"].items()) {
      double sum_of_squares = 0;
      for (const double value : file.read_doubles("gradient/" + name)) {
        sum_of_squares += value * value;
      }
      EXPECT_NEAR(std::sqrt(sum_of_squares), norm.get<double>(), 1e-12 * norm.get<double>() + 1e-25)
          << found.path() << " " << name;
    }
  }
  EXPECT_GE(files, 1);
}

}  // namespace
}  // namespace voxmark
