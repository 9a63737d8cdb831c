// The test files of other readers' own suites, against what nibabel reads from them.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "workloads/data_sets/inspect.h"
#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

const std::string kFolder = std::string(VOXMARK_SOURCE_DIR) + "/../shared/data/nifti/";

using Row = std::map<std::string, std::string>;

std::vector<Row> expected_rows() {
  std::ifstream file(kFolder + "expected.tsv");
  const auto cells_of = [](const std::string& line) {
    std::vector<std::string> cells;
    std::istringstream stream(line);
    for (std::string cell; std::getline(stream, cell, '\t');) {
      cells.push_back(cell);
    }
    return cells;
  };
  std::string line;
  std::getline(file, line);
  const std::vector<std::string> names = cells_of(line);
  std::vector<Row> rows;
  while (std::getline(file, line)) {
    const std::vector<std::string> cells = cells_of(line);
    Row row;
    for (std::size_t i = 0; i < names.size(); ++i) {
      row[names[i]] = i < cells.size() ? cells[i] : "";
    }
    rows.push_back(row);
  }
  return rows;
}

// "(33,41,25)", "[[ -2., 0., ...]]" -> the numbers in it.
std::vector<double> numbers_in(std::string text) {
  for (char& c : text) {
    if (c == '(' || c == ')' || c == '[' || c == ']' || c == ',') {
      c = ' ';
    }
  }
  std::istringstream stream(text);
  std::vector<double> numbers;
  for (double number = 0; stream >> number;) {
    numbers.push_back(number);
  }
  return numbers;
}

// Why a row of the table is out of scope, as the reader must put it; empty when it must be read.
std::string refusal_for(const Row& row) {
  const std::string& file = row.at("file");
  const std::string& dtype = row.at("dtype");
  if (file == "nibabel/analyze.hdr") {
    return "Analyze";
  }
  if (file == "nibabel/nifti1.hdr" || file == "nifti-rs/minimal2.hdr") {
    return ".hdr/.img pair";
  }
  if (file == "nibabel/nifti2.hdr" || file == "nibabel/row_major.dconn.nii") {
    return "NIfTI-2";
  }
  if (file == "nifti-rs/avg152T1_LR_nifti.hdr.gz") {
    return ".hdr/.img pair";
  }
  if (row.at("shape").starts_with("nibabel refuses")) {
    return "not a NIfTI-1 image";
  }
  // Of a pair, the header says what it is; the voxels beside it say nothing.
  if (file.find(".img") != std::string::npos) {
    return "not a NIfTI-1 image";
  }
  if (row.at("sizeof_hdr") == "540") {
    return "NIfTI-2";
  }
  if (row.at("magic") == "ni1") {
    return ".hdr/.img pair";
  }
  if (dtype == "<c8" || dtype == "<c16") {
    return "(complex";
  }
  if (dtype.starts_with("rgb")) {
    return "(RGB";
  }
  return "";
}

std::string numpy_type(const Json& facts) {
  static const std::map<std::string, std::string> codes = {
      {"uint8", "u1"}, {"int8", "i1"},   {"uint16", "u2"}, {"int16", "i2"},   {"uint32", "u4"},
      {"int32", "i4"}, {"uint64", "u8"}, {"int64", "i8"},  {"float32", "f4"}, {"float64", "f8"}};
  const std::string code = codes.at(facts["type"]);
  if (code[1] == '1') {
    return "|" + code;
  }
  return (facts["byte_order"] == "big" ? ">" : "<") + code;
}

void expect_row_read(const Row& row, const Json& facts) {
  std::vector<double> shape = facts["shape"];
  EXPECT_EQ(shape, numbers_in(row.at("shape")));
  EXPECT_EQ(numpy_type(facts), row.at("dtype"));
  EXPECT_EQ(facts["byte_order"], row.at("byte_order"));
  EXPECT_EQ(facts["sha256"], row.at("sha256_of_scaled_float64_LE_x_fastest"));
  EXPECT_EQ(facts["vox_offset"].get<double>(), std::stod(row.at("vox_offset")));
  EXPECT_EQ(facts["scl_slope"].get<double>(), std::stod(row.at("scl_slope")));
  EXPECT_EQ(facts["scl_inter"].get<double>(), std::stod(row.at("scl_inter")));
  EXPECT_EQ(facts["qform_code"].get<int>(), std::stoi(row.at("qform_code")));
  EXPECT_EQ(facts["sform_code"].get<int>(), std::stoi(row.at("sform_code")));
  EXPECT_EQ(facts["extensions"].get<int>(), std::stoi(row.at("n_ext")));

  const std::vector<double> affine = numbers_in(row.at("affine_3x4"));
  ASSERT_EQ(affine.size(), 12U);
  for (std::size_t i = 0; i < 12; ++i) {
    // The table prints nine digits of the affine.
    EXPECT_NEAR(facts["affine"][i / 4][i % 4].get<double>(), affine[i],
                1e-8 * std::max(1.0, std::abs(affine[i])));
  }
  if (row.at("mean_scaled") == "nan") {
    EXPECT_TRUE(facts["mean"].is_null());
    EXPECT_GT(facts["non_finite"]["nan"].get<int>(), 0);
    return;
  }
  EXPECT_EQ(facts["minimum"].get<double>(), std::stod(row.at("min_scaled")));
  EXPECT_EQ(facts["maximum"].get<double>(), std::stod(row.at("max_scaled")));
  // Another order of summation in double: 1e-12 is far above its rounding, far below any mistake.
  const double mean = std::stod(row.at("mean_scaled"));
  EXPECT_NEAR(facts["mean"].get<double>(), mean, 1e-12 * std::abs(mean));
}

TEST(NiftiFiles, EveryRowIsReadAsNibabelReadsItOrRefusedForItsReason) {
  if (!std::filesystem::exists(kFolder + "expected.tsv")) {
    GTEST_SKIP() << kFolder << "expected.tsv is not there";
  }
  int read = 0;
  int refused = 0;
  for (const Row& row : expected_rows()) {
    SCOPED_TRACE(row.at("file"));
    const std::string path = kFolder + row.at("file");
    const std::string reason = refusal_for(row);
    Json facts;
    const std::string said = refusal_of([&] { facts = inspect_image(path); });
    if (reason.empty()) {
      ASSERT_EQ(said, "");
      expect_row_read(row, facts);
      EXPECT_NE(inspect_text(facts).find(facts["sha256"].get<std::string>()), std::string::npos);
      ++read;
    } else {
      EXPECT_NE(said.find(reason), std::string::npos) << "'" << said << "'";
      EXPECT_NE(said.find(path), std::string::npos) << said;
      ++refused;
    }
  }
  EXPECT_EQ(read, 29);
  EXPECT_EQ(refused, 25);
}

}  // namespace
}  // namespace voxmark
