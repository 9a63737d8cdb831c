#include "tools/voxmark/largest_image.h"

#include <gtest/gtest.h>

#include "results/claims/example_claims.h"

namespace voxmark {
namespace {

CaseSpec like() {
  CaseSpec spec;
  spec.threads = 2;
  return spec;
}

// Of one image each, by 1000 bytes per voxel above 1 GB.
Record one_image(const std::string& backend, const Dims& image, Outcome outcome = Outcome::ok) {
  Record record = outcome == Outcome::ok ? measured(backend, 0, 1)
                                         : example_failure(backend, 0, outcome, "because");
  record.spec["image"] = {image.d, image.h, image.w};
  record.spec["batch"] = 1;
  record.memory.peak_bytes = static_cast<std::uint64_t>(1'000'000'000 + 1000 * image.voxels());
  return record;
}

Report report_of(std::vector<Record> records) {
  Report report = example_report();
  report.records = std::move(records);
  return report;
}

constexpr std::int64_t kMuch = std::int64_t{1} << 40;

TEST(LargestImage, OursIsThatOfThePlan) {
  const auto next = largest_images({"naive"}, like(), report_of({}), kMuch);
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next[0].image, (Dims{240, 240, 144}));
  EXPECT_EQ(next[0].batch, 1);
  EXPECT_TRUE(largest_images({"naive"}, like(), report_of({}), 1000).empty());
}

TEST(LargestImage, AnOutsidersIsThatOfALineThroughWhatItTook) {
  const std::vector<std::string> peer = {"tensorflow-onednn"};
  const Record small = one_image(peer[0], {32, 32, 32});
  EXPECT_TRUE(largest_images(peer, like(), report_of({small}), kMuch).empty()) << "no line yet";
  const Report report = report_of({small, one_image(peer[0], {48, 48, 48})});
  // 144x144x144 takes 3.99 GB, 192x192x144 6.31 GB.
  const auto next = largest_images(peer, like(), report, 5'000'000'000);
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next[0].image, (Dims{144, 144, 144}));
}

TEST(LargestImage, GoesDownWhereOneWasNotMeasuredAndEndsWithOneThatWas) {
  std::vector<Record> records = {one_image("naive", {240, 240, 144}, Outcome::skipped)};
  auto next = largest_images({"naive"}, like(), report_of(records), kMuch);
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next[0].image, (Dims{192, 192, 144}));
  records.push_back(one_image("naive", {192, 192, 144}));
  EXPECT_TRUE(largest_images({"naive"}, like(), report_of(records), kMuch).empty());
}

TEST(LargestImage, ARecordOfAnotherCaseIsNoWordOnIt) {
  const Dims scan{240, 240, 144};
  const Record ours = one_image("naive", scan);
  for (const auto& [key, value] : std::initializer_list<std::pair<const char*, Json>>{
           {"isa", "avx2"},
           {"memory_limit_bytes", 1'000'000'000'000},
           {"classes", 3},
           {"input_channels", 4},
           {"precision", "bf16"}}) {
    Record other = ours;
    other.spec[key] = value;
    const auto next = largest_images({"naive"}, like(), report_of({other}), kMuch);
    ASSERT_EQ(next.size(), 1U) << key;
    EXPECT_EQ(next[0].image, scan) << key;
  }
  Record longer = ours;
  longer.spec["steps"] = 50;
  longer.spec["process"] = 3;
  EXPECT_TRUE(largest_images({"naive"}, like(), report_of({longer}), kMuch).empty());
}

TEST(LargestImage, NoneIsSoSmallThatNobodyAsks) {
  std::vector<Record> records;
  for (const Dims& image : {Dims{240, 240, 144}, Dims{192, 192, 144}, Dims{144, 144, 144},
                            Dims{128, 128, 128}, Dims{96, 96, 96}}) {
    records.push_back(one_image("naive", image, Outcome::infeasible));
  }
  const auto next = largest_images({"naive"}, like(), report_of(records), kMuch);
  ASSERT_EQ(next.size(), 1U);
  EXPECT_EQ(next[0].image, (Dims{64, 64, 64}));
  records.push_back(one_image("naive", {64, 64, 64}, Outcome::infeasible));
  EXPECT_TRUE(largest_images({"naive"}, like(), report_of(records), kMuch).empty());
}

}  // namespace
}  // namespace voxmark
