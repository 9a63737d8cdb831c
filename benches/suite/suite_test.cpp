#include "benches/suite/suite.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <clocale>
#include <fstream>
#include <locale>
#include <map>

#include "base/error.h"
#include "base/number_text.h"
#include "base/testing/temporary_folder.h"

namespace voxmark {
namespace {

std::string write(const TemporaryFolder& folder, const std::string& text) {
  const std::string path = folder.path() + "/suite.json";
  std::ofstream(path) << text;
  return path;
}

std::vector<std::int64_t> no_limits(const CaseSpec& /*spec*/) { return {}; }

template <class Act>
std::string message_of(Act act) {
  try {
    act();
    return "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
}

std::string flag_fault(const std::string& key, const std::string& value) {
  return message_of([&] {
    Suite suite;
    set_key(suite, key, split_list(value, "--" + key), "--" + key);
    expand(suite, 1, no_limits);
  });
}

TEST(Suite, ExpandsToEveryCombination) {
  Suite suite;
  set_key(suite, "backend", {"naive", "eigen", "onednn"}, "--backend");
  set_key(suite, "image", {"32", "96x96x64"}, "--image");
  set_key(suite, "batch", {"1", "2"}, "--batch");
  set_key(suite, "repeats", {"3"}, "--repeats");
  const std::vector<CaseSpec> cases = expand(suite, 2, no_limits);
  EXPECT_EQ(cases.size(), 3U * 2U * 2U * 3U);
  EXPECT_EQ(cases.front().threads, 2);
  EXPECT_EQ(cases.back().image, (Dims{96, 96, 64}));
  EXPECT_EQ(cases.back().batch, 2);
}

TEST(Suite, ListsProcessByProcess) {
  Suite suite;
  set_key(suite, "backend", {"a", "b"}, "--backend");
  set_key(suite, "image", {"16", "32"}, "--image");
  set_key(suite, "repeats", {"2"}, "--repeats");
  std::string order;
  for (const CaseSpec& spec : expand(suite, 1, no_limits)) {
    order += spec.backend + std::to_string(spec.process) + "@" + std::to_string(spec.image.d) + " ";
  }
  EXPECT_EQ(order, "a0@16 b0@16 a1@16 b1@16 a0@32 b0@32 a1@32 b1@32 ");
}

TEST(Suite, ListsDataSlowestAndBatchFastest) {
  Suite suite;
  set_key(suite, "backend", {"a"}, "--backend");
  for (const auto& [key, values] :
       std::map<std::string, std::vector<std::string>>{{"batch", {"1", "2"}},
                                                       {"threads", {"1", "2"}},
                                                       {"precision", {"fp32", "bf16"}},
                                                       {"data", {"synthetic", "phantom"}}}) {
    set_key(suite, key, values, "--" + key);
  }
  std::string order;
  for (const CaseSpec& spec : expand(suite, 1, no_limits)) {
    order += fmt::format("{}{}{}{} ", spec.data.at(0), to_string(spec.precision).at(0),
                         spec.threads, spec.batch);
  }
  EXPECT_EQ(order,
            "sf11 sf12 sf21 sf22 sb11 sb12 sb21 sb22 pf11 pf12 pf21 pf22 pb11 pb12 pb21 "
            "pb22 ");
}

TEST(Suite, MeasuresACaseOfTwoGridsOnce) {
  Suite suite;
  suite.grids.resize(2);
  set_key(suite, "backend", {"naive", "naive"}, "--backend");
  EXPECT_EQ(expand(suite, 1, no_limits).size(), 1U);
}

TEST(Suite, SweepsTheMemoryLimitsThatItIsTold) {
  Suite suite;
  set_key(suite, "backend", {"naive", "onednn"}, "--backend");
  set_key(suite, "memory_limit", {"2GiB", "1GiB"}, "--memory-limit");
  EXPECT_EQ(expand(suite, 1, no_limits).size(), 4U);
  set_key(suite, "memory_limit", {"sweep"}, "--memory-limit");
  const auto limits = [](const CaseSpec& spec) {
    return spec.backend == "onednn" ? std::vector<std::int64_t>{3000, 2000}
                                    : std::vector<std::int64_t>{};
  };
  std::string found;
  for (const CaseSpec& spec : expand(suite, 1, limits)) {
    found += fmt::format("{} {} ", spec.backend, spec.memory_limit_bytes.value_or(0));
  }
  EXPECT_EQ(found, "naive 0 onednn 3000 onednn 2000 ");
}

TEST(Suite, WeakScalingKeepsTheBatchOfARankStrongScalingThatOfAll) {
  const auto listed = [](const std::string& key, const std::string& value) {
    Suite suite;
    set_key(suite, "backend", {"a"}, "--backend");
    set_key(suite, "ranks", {"1", "2", "4"}, "--ranks");
    set_key(suite, key, split_list(value, "--x"), "--x");
    std::string order;
    for (const CaseSpec& spec : expand(suite, 4, no_limits)) {
      order += fmt::format("{}x{} ", spec.ranks, spec.batch);
    }
    return order;
  };
  EXPECT_EQ(listed("batch", "2"), "1x2 2x2 4x2 ");
  EXPECT_EQ(listed("global_batch", "8"), "1x8 2x4 4x2 ");
  EXPECT_EQ(listed("global_batch", "4,8"), "1x4 1x8 2x2 2x4 4x1 4x2 ");
  EXPECT_EQ(flag_fault("global_batch", "0"),
            "--global_batch: expected an integer from 1 to 65536, found 0");
  EXPECT_EQ(message_of([&] { listed("global_batch", "8,6"); }),
            "global batch 6: 4 ranks cannot share 6 images equally, expected a multiple of 4");
}

TEST(Suite, OfBatchAndGlobalBatchTheLastOneCounts) {
  Suite suite;
  set_key(suite, "backend", {"a"}, "--backend");
  set_key(suite, "ranks", {"2"}, "--ranks");
  set_key(suite, "batch", {"3"}, "--batch");
  set_key(suite, "global_batch", {"8"}, "--global-batch");
  EXPECT_EQ(expand(suite, 1, no_limits).front().batch, 4);
  set_key(suite, "batch", {"3"}, "--batch");
  EXPECT_EQ(expand(suite, 1, no_limits).front().batch, 3);
  EXPECT_EQ(message_of([] {
              suite_from_json(parse_json(R"({"schema": "voxmark.suite/1",
                                "grids": [{"batch": [1], "global_batch": [4]}]})",
                                         "suite"),
                              "suite");
            }),
            "suite: grids[0]: batch and global_batch: expected one of them");
}

TEST(Suite, RanksShareTheThreadsThatNobodyNamed) {
  Suite suite;
  set_key(suite, "backend", {"a"}, "--backend");
  set_key(suite, "ranks", {"1", "2", "4"}, "--ranks");
  const auto listed = [&] {
    std::string order;
    for (const CaseSpec& spec : expand(suite, 3, no_limits)) {
      order += fmt::format("{}x{} ", spec.ranks, spec.threads);
    }
    return order;
  };
  EXPECT_EQ(listed(), "1x3 2x1 4x1 ");
  const auto on_two_hosts = [](int ranks) { return (ranks + 1) / 2; };
  std::string threads;
  for (const CaseSpec& spec : expand(suite, 6, no_limits, on_two_hosts)) {
    threads += fmt::format("{}x{} ", spec.ranks, spec.threads);
  }
  EXPECT_EQ(threads, "1x6 2x6 4x3 ");
  set_key(suite, "threads", {"2"}, "--threads");
  EXPECT_EQ(listed(), "1x2 2x2 4x2 ");
}

TEST(Suite, CopiesShareTheThreadsThatNobodyNamed) {
  Suite suite;
  set_key(suite, "backend", {"a"}, "--backend");
  set_key(suite, "copies", {"1", "2", "8"}, "--copies");
  std::string order;
  for (const CaseSpec& spec : expand(suite, 5, no_limits)) {
    order += fmt::format("{}x{} ", spec.copies, spec.threads);
    EXPECT_EQ(to_json(spec).contains("copies"), spec.copies > 1) << "one is as it always was";
  }
  EXPECT_EQ(order, "1x5 2x2 8x1 ");
}

// One rank's own images are those of all: it is measured once, and stays the case that it was.
TEST(Suite, ABatchNormOfOneRankIsNeverLocal) {
  Suite suite;
  set_key(suite, "backend", {"a"}, "--backend");
  set_key(suite, "ranks", {"1", "2"}, "--ranks");
  set_key(suite, "batch_norm", {"global", "local"}, "--batch-norm");
  std::string order;
  for (const CaseSpec& spec : expand(suite, 1, no_limits)) {
    order += fmt::format("{} {} ", spec.ranks, spec.batch_norm);
    EXPECT_EQ(to_json(spec).contains("batch_norm"), spec.batch_norm == "local");
  }
  EXPECT_EQ(order, "1 global 2 global 2 local ");
}

TEST(Suite, AFileAndFlagsMeanTheSame) {
  const TemporaryFolder folder;
  const std::string path = write(folder, R"({"schema": "voxmark.suite/1", "repeats": 2,
    "case_budget": 60, "baseline": "naive", "grids": [
      {"backend": ["naive"], "image": [32, [96, 96, 64]], "batch": [2], "channels": [4],
       "classes": [3], "filters": [8], "threads": [1], "precision": ["fp64"], "data": ["phantom"],
       "follow_links": true, "affine_tolerance": 0.005, "seed": 7, "steps": 3, "warmup": 0, "memory_limit": "1GiB"}]})");
  const Suite from_file = read_suite(path);
  Suite from_flags;
  for (const auto& [key, values] :
       std::map<std::string, std::vector<std::string>>{{"backend", {"naive"}},
                                                       {"image", {"32", "96x96x64"}},
                                                       {"batch", {"2"}},
                                                       {"channels", {"4"}},
                                                       {"classes", {"3"}},
                                                       {"filters", {"8"}},
                                                       {"threads", {"1"}},
                                                       {"precision", {"fp64"}},
                                                       {"data", {"phantom"}},
                                                       {"follow_links", {"true"}},
                                                       {"affine_tolerance", {"0.005"}},
                                                       {"seed", {"7"}},
                                                       {"steps", {"3"}},
                                                       {"warmup", {"0"}},
                                                       {"memory_limit", {"1073741824"}},
                                                       {"repeats", {"2"}},
                                                       {"case_budget", {"60"}},
                                                       {"baseline", {"naive"}}}) {
    set_key(from_flags, key, values, "--" + key);
  }
  const std::vector<CaseSpec> file_cases = expand(from_file, 9, no_limits);
  const std::vector<CaseSpec> flag_cases = expand(from_flags, 9, no_limits);
  ASSERT_EQ(file_cases.size(), 4U);
  ASSERT_EQ(flag_cases.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(to_json(file_cases[i]), to_json(flag_cases[i]));
  }
  EXPECT_EQ(file_cases[0].reading, (ReadOptions{true, 0.005}));
  EXPECT_EQ(from_file.case_budget_seconds, 60);
  EXPECT_EQ(from_file.baseline, from_flags.baseline);
}

TEST(Suite, RefusesAFileThatItsSchemaDoesNotAllow) {
  const TemporaryFolder folder;
  const auto fault = [&](const std::string& text) {
    const std::string path = write(folder, text);
    return message_of([&] { expand(read_suite(path), 1, no_limits); });
  };
  const auto with_grid = [](const std::string& grid) {
    return R"({"schema": "voxmark.suite/1", "grids": [)" + grid + "]}";
  };
  EXPECT_EQ(fault(with_grid("{}")), "accepted");
  const std::vector<std::pair<std::string, std::string>> faults = {
      {with_grid(R"({"bakend": ["naive"]})"),
       "grids[0]: key \"bakend\" is unknown, expected one of: affine_tolerance, backend, batch, "},
      {with_grid(R"({"batch": [1], "batch": [2]})"), "batch"},
      {with_grid(R"({"batch": [0]})"), "batch"},
      {with_grid(R"({"batch": [-1]})"), "batch"},
      {with_grid(R"({"batch": []})"), "batch"},
      {with_grid(R"({"image": [40]})"), "image"},
      {with_grid(R"({"steps": 1e400})"), "(at \"steps\")"},
      {with_grid(R"({"steps": NaN})"), "(at \"steps\")"},
      {with_grid(R"({"precision": ["fp16"]})"), "precision"},
      {R"({"schema": "voxmark.suite/2", "grids": [{}]})", "schema"},
      {R"({"schema": "voxmark.suite/1"})", "grids"},
      {"", "suite.json"},
      {std::string(200000, '['), "suite.json"}};
  for (const auto& [text, named] : faults) {
    const std::string message = fault(text);
    EXPECT_NE(message.find(named), std::string::npos) << text.substr(0, 80) << "\n" << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(Suite, NamesTheFlagTheExpectedAndTheFound) {
  EXPECT_EQ(flag_fault("batch", "0"), "--batch: expected an integer from 1 to 65536, found 0");
  EXPECT_EQ(flag_fault("batch", "-2"), "--batch: expected an integer from 1 to 65536, found -2");
  EXPECT_EQ(flag_fault("batch", "nan"), "--batch: expected an integer from 1 to 65536, found nan");
  EXPECT_EQ(flag_fault("batch", "1e400"),
            "--batch: expected an integer from 1 to 65536, found 1e400");
  EXPECT_EQ(flag_fault("batch", "1,,2"), "--batch: expected a list such as a,b, found \"1,,2\"");
  EXPECT_EQ(flag_fault("image", "60"),
            "--image: expected one extent or three, multiples of 16, up to 65536, found 60");
  EXPECT_EQ(flag_fault("steps", "2,3"), "--steps: expected one value, found 2");
  EXPECT_EQ(flag_fault("case_budget", "nan"),
            "--case_budget: expected a number above 0, found nan");
  EXPECT_EQ(flag_fault("case_budget", "1e400"),
            "--case_budget: expected a number above 0, found 1e400");
  EXPECT_EQ(flag_fault("precision", "half"),
            "--precision: expected fp64, fp32 or bf16, found half");
  EXPECT_EQ(flag_fault("precision_target", "2"),
            "--precision_target: 2, expected a fraction of the median such as 0.02");
}

// 1.000,5 as in German, for C++ streams; for C's functions too where the system has such a locale.
class CommaPunctuation : public std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

TEST(Suite, DoesNotHeedTheLocale) {
  const std::locale before = std::locale::global(std::locale(std::locale(), new CommaPunctuation));
  std::setlocale(LC_ALL, "de_DE.UTF-8");
  EXPECT_EQ(parse_bytes("1.5KiB", "limit"), 1536);
  Suite suite;
  set_key(suite, "case_budget", {"1234.5"}, "--case-budget");
  EXPECT_EQ(suite.case_budget_seconds, 1234.5);
  EXPECT_EQ(dump_json({{"number", 1234.5}}), R"({"number":1234.5})");
  CaseSpec spec;
  spec.backend = "naive";
  spec.batch = 1024;
  EXPECT_EQ(to_json(case_from_json(parse_json(dump_json(to_json(spec)), "case"), "case")),
            to_json(spec));
  std::setlocale(LC_ALL, "C");
  std::locale::global(before);
}

}  // namespace
}  // namespace voxmark
