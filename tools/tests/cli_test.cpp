// The command line from outside: what it prints, and with which exit code it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "tools/tests/command.h"

namespace voxmark {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using Arguments = std::vector<std::string>;

class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("voxmark_cli_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string file(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

TEST(List, ModelHasThePapersFigures) {
  const Json model = run_voxmark({"list", "model", "--image", "32x16x16", "--json"}).json();
  EXPECT_EQ(model["parameters"], 5650801);
  EXPECT_EQ(model["trainable_parameters"], 5647857);
  EXPECT_EQ(model["moving_statistics"], 2944);
  EXPECT_EQ(model["step_flops_per_voxel"], 340656);
  EXPECT_EQ(model["forward_flops"], 113840 * 32 * 16 * 16);
}

TEST(List, LayersOfTheModelSumUpToItsTotals) {
  const Json model = run_voxmark({"list", "model", "--image", "16", "--json"}).json();
  std::int64_t parameters = 0;
  std::int64_t step_flops = 0;
  for (const Json& layer : model["layers"]) {
    parameters += layer["trainable_parameters"].get<std::int64_t>();
    parameters += layer["moving_statistics"].get<std::int64_t>();
    step_flops += layer["step_flops"].get<std::int64_t>();
  }
  EXPECT_EQ(parameters, model["parameters"]);
  EXPECT_EQ(step_flops, model["step_flops"]);
  const auto bottom =
      std::find_if(model["layers"].begin(), model["layers"].end(),
                   [](const Json& layer) { return layer["name"] == "encodeE_conv0"; });
  ASSERT_NE(bottom, model["layers"].end());
  EXPECT_EQ((*bottom)["output_shape"], Json({1, 1, 1, 1, 256}));
}

TEST(List, ModelAsTextEndsInItsTotals) {
  const CommandResult text = run_voxmark({"list", "model"});
  EXPECT_EQ(text.status, 0);
  EXPECT_THAT(text.out, HasSubstr("5,650,801 parameters: 5,647,857 trainable"));
  EXPECT_THAT(text.out, HasSubstr("340,656 FLOP per voxel and step"));
}

TEST(List, NamesEveryBackendBuiltOrNot) {
  const Json backends = run_voxmark({"list", "backends", "--json"}).json()["backends"];
  std::vector<std::string> names;
  for (const Json& backend : backends) {
    names.push_back(backend["name"]);
    EXPECT_NE(backend["built"].get<bool>(), backend["missing"].is_string());
  }
  for (const char* name : {"naive", "eigen", "eigen-tensor", "onednn", "onednn-direct", "null"}) {
    EXPECT_THAT(names, Contains(name));
  }
}

TEST(Phantom, IsADataSetThatInspectReads) {
  const TemporaryFolder folder;
  const std::string set = folder.file("set");
  ASSERT_EQ(run_voxmark({"phantom", set, "--cases", "2", "--image", "32x48x32"}).status, 0);

  const Json facts = run_voxmark({"inspect", set, "--json"}).json();
  EXPECT_EQ(facts["cases"].size(), 2U);
  EXPECT_EQ(facts["labels"].size(), 4U);

  const CommandResult image =
      run_voxmark({"inspect", set + "/imagesTr/PHANTOM_000.nii.gz", "--json"});
  EXPECT_EQ(image.status, 0) << image.err;
  EXPECT_EQ(image.json()["shape"], Json({32, 48, 32, 4}));
}

TEST(Inspect, RefusesATruncatedImageInOneLine) {
  const TemporaryFolder folder;
  const std::string set = folder.file("set");
  ASSERT_EQ(run_voxmark({"phantom", set, "--cases", "1", "--image", "32"}).status, 0);
  const std::string image = set + "/imagesTr/PHANTOM_000.nii.gz";
  std::filesystem::resize_file(image, std::filesystem::file_size(image) - 8);

  const CommandResult refused = run_voxmark({"inspect", image});
  EXPECT_EQ(refused.status, 64);
  EXPECT_THAT(refused.err, HasSubstr("PHANTOM_000.nii.gz"));
  EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1);
}

TEST(Verify, PassesABackendThatIsRight) {
  const CommandResult verified = run_voxmark(
      {"verify", "--backend", "naive,null", "--image", "16", "--filters", "4", "--json"});
  EXPECT_EQ(verified.status, 0) << verified.out;
  const Json results = verified.json()["results"];
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0]["verdict"], "verified");
  EXPECT_GT(results[0]["worst"]["error"], 0.0);  // fp32 against fp64 differs
  EXPECT_LE(results[0]["worst"]["error"], results[0]["worst"]["tolerance"]);
  EXPECT_EQ(results[1]["verdict"], "skipped");
}

TEST(Verify, FitsIntoATerminal) {
  setenv("COLUMNS", "80", 1);
  const CommandResult verified =
      run_voxmark({"verify", "--backend", "naive,null", "--image", "16", "--filters", "1"});
  unsetenv("COLUMNS");
  EXPECT_EQ(verified.status, 0) << verified.err;
  std::istringstream lines(verified.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80U) << line;
  }
  EXPECT_THAT(verified.out, HasSubstr("\n  worst tensor: "));
  EXPECT_THAT(verified.out, HasSubstr("\n  against: naive fp64, 16x16x16 x 1\n"));
}

TEST(Verify, TakesTheProgramsOfOthersToo) {
  setenv("VOXMARK_PEERS", "/nonexistent", 1);
  const CommandResult verified =
      run_voxmark({"verify", "--backend", "naive,tensorflow-stock,exec:/bin/true", "--image", "16",
                   "--filters", "2"});
  unsetenv("VOXMARK_PEERS");
  EXPECT_THAT(verified.out,
              testing::ContainsRegex("tensorflow-stock +fp32 +skipped +not installed"));
  EXPECT_THAT(verified.out, testing::ContainsRegex("exec:/bin/true +fp32 +FAILED +plan: "));
  EXPECT_EQ(verified.status, 1) << "it is no fault of voxmark's own: " << verified.err;
}

TEST(Verify, SaysThatNothingCouldBeVerified) {
  const CommandResult verified =
      run_voxmark({"verify", "--backend", "null", "--image", "16", "--filters", "1"});
  EXPECT_EQ(verified.status, 5);
  EXPECT_THAT(verified.out, HasSubstr("computes nothing"));
}

TEST(Plan, GivesBytesPerBackend) {
  const CommandResult planned = run_voxmark({"plan", "--image", "32", "--json"});
  EXPECT_EQ(planned.status, 0) << planned.err;
  const Json plans = planned.json()["plans"];
  EXPECT_EQ(plans[0]["backend"], "naive");
  std::int64_t sum = 0;
  for (const Json& bytes : plans[0]["bytes"]) {
    sum += bytes.get<std::int64_t>();
  }
  // Parameters and Adam's state alone are 3 * 4 bytes each.
  EXPECT_GT(sum, 12 * 5647857);
  EXPECT_EQ(plans[0]["planned_bytes"], sum);
  EXPECT_EQ(plans[0]["fits"], true);
}

TEST(Plan, IsThatOfEachRank) {
  const auto plan = [](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"plan", "--backend", "naive",     "--image",
                                          "16",   "--json",    "--filters", "8"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_voxmark(arguments).json();
  };
  const Json rows = plan({"--ranks", "1,2,4", "--global-batch", "8"})["plans"];
  ASSERT_EQ(rows.size(), 3U);
  std::int64_t batch = 8;
  for (const Json& row : rows) {
    EXPECT_EQ(row["batch"], batch);
    EXPECT_EQ(row["ranks"], 8 / batch);
    EXPECT_EQ(row["bytes"].contains("exchange"), batch < 8);
    const Json alone = plan({"--batch", std::to_string(batch)});
    EXPECT_EQ(row["batch_bytes"], alone["batch_bytes"]);
    const std::int64_t exchange = row["bytes"].value("exchange", std::int64_t{0});
    EXPECT_EQ(row["planned_bytes"].get<std::int64_t>() - exchange,
              alone["plans"][0]["planned_bytes"]);
    EXPECT_FALSE(alone["plans"][0].contains("ranks"));
    batch /= 2;
  }
}

TEST(Plan, OfRanksFitsWhereAllOfThemDo) {
  const auto plan = [](const std::string& memory, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"plan",      "--backend", "naive",    "--image", "16",
                                          "--filters", "8",         "--memory", memory};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_voxmark(arguments);
  };
  const Json of_two = plan("8GiB", {"--ranks", "2", "--json"}).json();
  EXPECT_EQ(of_two["batch"], 1);
  const std::int64_t needed = of_two["plans"][0]["planned_bytes"].get<std::int64_t>() +
                              of_two["batch_bytes"].get<std::int64_t>();
  const CommandResult enough = plan(std::to_string(2 * needed), {"--ranks", "2"});
  EXPECT_EQ(enough.status, 0);
  EXPECT_THAT(enough.out, HasSubstr("A step of 1 image(s) of 16x16x16 on each of 2 ranks; there "
                                    "are "));
  EXPECT_THAT(enough.out, HasSubstr(" for each ("));
  EXPECT_THAT(enough.out, HasSubstr(" of --memory, where all run here)"));
  EXPECT_THAT(enough.out, HasSubstr("exchange "));
  const CommandResult more = plan(std::to_string(2 * needed), {"--ranks", "3"});
  EXPECT_EQ(more.status, 5);
  EXPECT_THAT(more.out, HasSubstr("does not fit"));
  EXPECT_EQ(plan(std::to_string(2 * needed - 1), {"--ranks", "2"}).status, 5);
  // A limit is each rank's.
  EXPECT_THAT(plan("8GiB", {"--ranks", "2", "--memory-limit", "1GiB"}).out,
              HasSubstr("there are 1.00 GiB for each (--memory-limit)"));
}

TEST(Plan, RefusesRanksThatCannotShare) {
  const auto fault = [](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"plan", "--image", "16"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const CommandResult refused = run_voxmark(arguments);
    EXPECT_EQ(refused.status, 64);
    return refused.err;
  };
  EXPECT_THAT(
      fault({"--ranks", "3", "--global-batch", "8"}),
      HasSubstr("global batch 8: 3 ranks cannot share 8 images equally, expected a multiple "
                "of 3"));
  EXPECT_THAT(fault({"--ranks", "0"}), HasSubstr("--ranks: expected an integer from 1 to 65536"));
  EXPECT_THAT(fault({"--global-batch", "0"}), HasSubstr("expected an integer above 0"));
  EXPECT_THAT(fault({"--ranks", "2", "--fit", "1GiB"}), HasSubstr("--ranks"));
  EXPECT_THAT(fault({"--ranks", "2", "--by-layer"}), HasSubstr("--ranks"));
  EXPECT_THAT(fault({"--batch", "2", "--global-batch", "2"}), HasSubstr("--global-batch"));
}

TEST(Plan, SaysThatAPetabyteDoesNotFit) {
  const CommandResult planned =
      run_voxmark({"plan", "--backend", "naive", "--image", "960", "--batch", "1000"});
  EXPECT_EQ(planned.status, 5);
  EXPECT_THAT(planned.out, HasSubstr("does not fit"));
}

TEST(Plan, NamesTheLimitUnderWhichItFits) {
  const auto plan = [](const std::string& memory, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"plan", "--backend", "onednn", "--image",
                                          "64",   "--memory",  memory,   "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_voxmark(arguments);
  };
  const Json usual = plan("1GiB", {}).json()["plans"][0];
  if (usual["planned_bytes"].is_null()) {
    GTEST_SKIP() << usual["reason"];
  }
  EXPECT_EQ(usual["within_limit"], nullptr);
  const std::int64_t least = usual["schedules"].back()["planned_bytes"];
  const std::string between =
      std::to_string((least + usual["planned_bytes"].get<std::int64_t>()) / 2);
  const CommandResult traded = plan(between, {});
  EXPECT_EQ(traded.status, 0);
  const Json found = traded.json()["plans"][0];
  EXPECT_EQ(found["fits"], false);
  const std::string limit = found["within_limit"]["memory_limit"];
  const Json asked = plan(between, {"--memory-limit", limit}).json()["plans"][0];
  EXPECT_EQ(asked["fits"], true) << limit;
  EXPECT_EQ(plan(std::to_string(least / 2), {}).status, 5);
}

TEST(Plan, OfAnotherMachineIsAnEstimate) {
  const std::vector<std::string> own = {"plan", "--backend", "naive", "--image", "16"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = own;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_voxmark(arguments);
  };
  EXPECT_EQ(with({"--json"}).json()["plans"][0]["exact"], true);
  EXPECT_THAT(with({"--fit", "1GiB"}).out, Not(HasSubstr("(estimated)")));
  for (const auto& elsewhere :
       {std::vector<std::string>{"--memory", "800TiB"}, {"--threads", "100000"}}) {
    EXPECT_THAT(with(elsewhere).out, HasSubstr("(estimated)"));
    std::vector<std::string> json = elsewhere;
    json.emplace_back("--json");
    EXPECT_EQ(with(json).json()["plans"][0]["exact"], false) << json[0];
  }
  const CommandResult fit = with({"--fit", "800TiB"});
  EXPECT_THAT(fit.out, HasSubstr("(estimated)"));
  EXPECT_THAT(fit.out, HasSubstr("largest batch: at least 16x16x16 with batch"));
  EXPECT_EQ(with({"--fit", "800TiB", "--json"}).json()["fits"][0]["exact"], false);
  EXPECT_EQ(with({"--fit", "800TiB", "--json"}).json()["fits"][0]["at_least"], true);
}

TEST(Plan, FitsIntoTheSmallerOfTwoLimits) {
  const auto planned = [](const char* fit, const char* limit) {
    return run_voxmark({"plan", "--backend", "naive", "--image", "16", "--fit", fit,
                        "--memory-limit", limit, "--json"})
        .json()["fits"];
  };
  EXPECT_EQ(planned("1GiB", "20GiB"), planned("1GiB", "1GiB"));
  EXPECT_EQ(planned("20GiB", "1GiB"), planned("1GiB", "1GiB"));
}

TEST(Plan, ByLayerAddsUpToThePlan) {
  for (const char* backend : {"naive", "onednn", "keeps-everything"}) {
    const auto planned = [&](const std::vector<std::string>& more) {
      std::vector<std::string> arguments = {"plan",     "--backend", backend,   "--image",
                                            "32x16x48", "--json",    "--batch", "2"};
      arguments.insert(arguments.end(), more.begin(), more.end());
      return run_voxmark(arguments).json()["plans"][0];
    };
    const Json plan = planned({});
    if (plan["planned_bytes"].is_null()) {
      continue;  // not built
    }
    std::int64_t bytes = 0, flops = 0;
    const Json by_layer = planned({"--by-layer"});
    for (const Json& layer : by_layer["layers"]) {
      bytes += layer["total_bytes"].get<std::int64_t>();
      flops += layer["forward_flops"].get<std::int64_t>();
      flops += layer["backward_flops"].get<std::int64_t>();
    }
    EXPECT_EQ(bytes, plan["planned_bytes"]) << backend;
    EXPECT_EQ(by_layer["planned_bytes"], plan["planned_bytes"]) << backend;
    EXPECT_EQ(flops, std::int64_t{340656} * 2 * 32 * 16 * 48) << backend;
  }
}

TEST(Plan, ByLayerWritesCsvBesideTheTableOrInItsPlace) {
  const TemporaryFolder folder;
  const std::vector<std::string> own = {"plan",    "--by-layer", "--backend", "naive",
                                        "--image", "16",         "--csv"};
  const auto with = [&](const std::string& place) {
    std::vector<std::string> arguments = own;
    arguments.push_back(place);
    return run_voxmark(arguments);
  };
  const CommandResult printed = with("-");
  EXPECT_EQ(printed.status, 0);
  EXPECT_THAT(printed.out, testing::StartsWith("backend,layer,type,output,parameters,"));
  EXPECT_EQ(printed.err, "");
  const CommandResult beside = with(folder.file("layers.csv"));
  EXPECT_EQ(beside.status, 0);
  EXPECT_THAT(beside.out, HasSubstr("encodeA_conv0  Conv3D"));
  EXPECT_EQ(read_text_file(folder.file("layers.csv")), printed.out);
  EXPECT_EQ(with(folder.file("no/such/place.csv")).status, 64);
}

TEST(Plan, ByLayerSaysWhereALimitCannotBeKept) {
  const auto planned = [](const char* limit) {
    return run_voxmark(
        {"plan", "--by-layer", "--backend", "naive", "--image", "16", "--memory-limit", limit});
  };
  EXPECT_THAT(planned("1MiB").err, HasSubstr("more than --memory-limit 1MiB"));
  EXPECT_EQ(planned("1MiB").status, 0);
  EXPECT_EQ(planned("1GiB").err, "");
}

TEST(Plan, AFrameworkThatKeepsEverythingIsPlannedAndNotRun) {
  const CommandResult planned = run_voxmark({"plan", "--backend", "keeps-everything", "--image",
                                             "240x240x144", "--batch", "16", "--json"});
  EXPECT_EQ(planned.json()["plans"][0]["planned_bytes"], std::int64_t{367465960352});
  EXPECT_EQ(planned.json()["plans"][0]["bytes"]["activation_gradients"].is_number(), true);
  const CommandResult run = run_voxmark({"run", "--backend", "keeps-everything", "--image", "16"});
  EXPECT_EQ(run.status, 64);
  EXPECT_THAT(run.err, HasSubstr("keeps-everything: arithmetic of voxmark plan, no backend"));
  for (const Arguments& others :
       {Arguments{"verify", "--image", "16"},
        Arguments{"train", "--data", "phantom:4", "--image", "16", "--dry-run"},
        Arguments{"run", "--image", "16", "--dry-run"}}) {
    Arguments arguments = others;
    arguments.insert(arguments.end(), {"--backend", "keeps-everything"});
    const CommandResult refused = run_voxmark(arguments);
    EXPECT_EQ(refused.status, 64) << others.front();
    EXPECT_THAT(refused.err, HasSubstr("keeps-everything: arithmetic of voxmark plan, no backend"))
        << others.front();
  }
}

TEST(Plan, NamesWhatItTakesBesideBackends) {
  const CommandResult unknown = run_voxmark({"plan", "--backend", "nope", "--image", "16"});
  EXPECT_EQ(unknown.status, 64);
  EXPECT_THAT(unknown.err, HasSubstr(", keeps-everything ("));
  EXPECT_THAT(run_voxmark({"verify", "--backend", "nope", "--image", "16"}).err,
              Not(HasSubstr("keeps-everything")));
  const CommandResult outside = run_voxmark({"plan", "--backend", "jax", "--image", "16"});
  EXPECT_THAT(outside.err,
              HasSubstr("to plan a framework by arithmetic: --backend keeps-everything"));
}

TEST(Plan, ArithmeticIsNoEstimateForAnotherMachine) {
  const auto planned = [](const Arguments& more) {
    Arguments arguments = {"plan", "--image", "16", "--backend", "naive,keeps-everything"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_voxmark(arguments);
  };
  for (const Arguments& elsewhere :
       {Arguments{"--memory", "1000TiB"}, Arguments{"--threads", "4096"},
        Arguments{"--by-layer", "--threads", "4096"}}) {
    Arguments as_json = elsewhere;
    as_json.emplace_back("--json");
    const Json plans = planned(as_json).json()["plans"];
    EXPECT_EQ(plans[0]["exact"], false) << elsewhere.front();
    EXPECT_EQ(plans[1]["exact"], true) << elsewhere.front();
  }
  for (const Json& fit : planned({"--fit", "1000TiB", "--json"}).json()["fits"]) {
    EXPECT_EQ(fit["exact"], fit["backend"] == "keeps-everything") << fit;
  }
}

TEST(Plan, ByLayerFitsIntoANarrowTerminal) {
  setenv("COLUMNS", "60", 1);
  const CommandResult planned = run_voxmark({"plan", "--by-layer", "--image", "240x240x144",
                                             "--batch", "16", "--backend", "keeps-everything"});
  unsetenv("COLUMNS");
  std::istringstream lines(planned.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 60U) << line;
  }
  EXPECT_THAT(planned.out, HasSubstr("Output: 240x240x144x16"));
}

// ---- What a quickstart recommends works, as it stands ----

TEST(Quickstart, EndsInACommandThatRuns) {
  const TemporaryFolder folder;
  setenv("XDG_CACHE_HOME", folder.file("cache").c_str(), 1);
  const std::string set = folder.file("my set");
  // Larger than what is measured first along one axis, smaller along the others.
  ASSERT_EQ(run_voxmark({"phantom", set, "--cases", "2", "--image", "80x32x32"}).status, 0);
  const CommandResult result =
      run_voxmark({"quickstart", "--data", set, "--out", folder.file("out")});
  ASSERT_EQ(result.status, 0) << result.err;
  const std::size_t next = result.out.find("Next, ");
  ASSERT_NE(next, std::string::npos) << result.out;
  const std::string sentence = result.out.substr(next, result.out.find('\n', next) - next);
  EXPECT_THAT(sentence, HasSubstr("--image 80x32x32 "));
  // One step of it is enough to see that it runs.
  const std::string command = sentence.substr(sentence.find(": ") + 2) +
                              " --steps 1 --warmup 0 --no-limits --taint-repeats 0 --out '" +
                              folder.file("next.json") + "' >/dev/null 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  const Json report = read_json_file(folder.file("next.json"));
  EXPECT_EQ(report.at("records").size(), 15U);
  for (const Json& record : report.at("records")) {
    EXPECT_EQ(record.at("outcome"), "ok") << record.at("reason");
  }
  unsetenv("XDG_CACHE_HOME");
}

// ---- What is wrong is named in one line, and ends in exit code 64 ----

struct BadCommand {
  std::vector<std::string> arguments;
  std::string named;

  friend std::ostream& operator<<(std::ostream& out, const BadCommand& command) {
    return out << testing::PrintToString(command.arguments);
  }
};

class BadInput : public testing::TestWithParam<BadCommand> {};

TEST_P(BadInput, IsNamedInOneLine) {
  const CommandResult refused = run_voxmark(GetParam().arguments);
  EXPECT_EQ(refused.status, 64);
  EXPECT_EQ(refused.out, "");
  EXPECT_THAT(refused.err, HasSubstr(GetParam().named));
  EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1) << refused.err;
}

INSTANTIATE_TEST_SUITE_P(
    Commands, BadInput,
    testing::Values(
        BadCommand{{"list", "model", "--image", "40"}, "40"},
        BadCommand{{"list", "model", "--image", "64x64"}, "64x64"},
        BadCommand{{"list", "model", "--batch", "0"}, "--batch 0"},
        BadCommand{{"list", "model", "--filters", "0"}, "filters = 0"},
        BadCommand{{"list", "model", "--image", "1048576", "--batch", "1000"}, "64 bits"},
        BadCommand{{"list", "model", "--bogus"}, "--bogus"}, BadCommand{{"nonsense"}, "nonsense"},
        BadCommand{{"list", "nonsense"}, "nonsense"},
        BadCommand{{"inspect", "/nonexistent.nii.gz"}, "/nonexistent.nii.gz"},
        BadCommand{{"phantom", "/nonexistent/set", "--cases", "0"}, "--cases 0"},
        BadCommand{{"verify", "--backend", "nope"}, "nope"},
        BadCommand{{"verify", "--reference", "/nonexistent.safetensors"}, "/nonexistent"},
        BadCommand{{"verify", "--precision", "fp8"}, "fp8"},
        BadCommand{{"verify", "--reference", "a.safetensors", "--image", "16"}, "--image"},
        BadCommand{{"verify", "--backend", "exec:/no/such/program", "--image", "16"}, "/no/such"},
        BadCommand{{"quickstart", "--out", "/dev/null/quickstart"}, "--out /dev/null/quickstart"},
        BadCommand{{"verify", "--threads", "0"}, "--threads 0"},
        BadCommand{{"plan", "--backend", "nope"}, "nope"},
        BadCommand{{"plan", "--fit", "1GiB", "--memory", "1GiB"}, "--memory"},
        BadCommand{{"plan", "--table", "--json"}, "--json"},
        BadCommand{{"plan", "--csv", "layers.csv"}, "--by-layer"},
        BadCommand{{"plan", "--by-layer", "--csv", "-", "--json"}, "--json"},
        BadCommand{{"plan", "--by-layer", "--fit", "1GiB"}, "--fit"},
        BadCommand{{"plan", "--by-layer", "--table"}, "--table"},
        BadCommand{{"plan", "--by-layer", "--memory", "1GiB"}, "--memory"},
        BadCommand{{"plan", "--by-layer", "--backend", "nope"}, "nope"},
        BadCommand{{"plan", "--by-layer", "--backend", "null"}, "null"},
        BadCommand{{"plan", "--by-layer", "--image", "24"}, "24"},
        BadCommand{{"plan", "--table", "--memory", "1GiB"}, "--memory"},
        BadCommand{{"plan", "--table", "--image", "32"}, "--image"},
        BadCommand{{"plan", "--table", "--batch", "2"}, "--batch"},
        BadCommand{{"plan", "--table", "--fit", "1GiB"}, "--fit"},
        BadCommand{{"reproduce", "--report", "a.json", "--quick"}, "--quick"},
        BadCommand{{"reproduce", "--report", "a.json", "--budget", "9"}, "--budget"},
        BadCommand{{"reproduce", "--report", "a.json", "--out", "b.json"}, "--out"},
        BadCommand{{"reproduce", "--report", "a.json", "--suite", "s.json"}, "--suite"},
        BadCommand{{"reproduce", "--report", "a.json", "--redact"}, "--redact"},
        BadCommand{{"reproduce", "--suite", "/no/suite", "--budget", "nan"}, "--budget"},
        BadCommand{{"reproduce", "--suite", "/no/suite", "--budget", "inf"}, "--budget"},
        BadCommand{{"reproduce", "--suite", "/no/suite", "--markdown", "/nonexistent/p.md"},
                   "/nonexistent/p.md"}));

// ---- Help ----

TEST(Help, OfEverySubcommandHasAnExample) {
  std::istringstream help(run_voxmark({"--help"}).out);
  std::string line;
  while (std::getline(help, line) && line != "Subcommands:") {
  }
  int subcommands = 0;
  while (std::getline(help, line)) {
    std::istringstream words(line);
    std::string name;
    // Names stand two columns in; descriptions that go on stand further right.
    if (!line.starts_with("  ") || line.starts_with("   ") || !(words >> name)) {
      continue;
    }
    ++subcommands;
    const CommandResult own = run_voxmark({name, "--help"});
    EXPECT_EQ(own.status, 0) << name;
    EXPECT_THAT(own.out, HasSubstr("Example")) << name;
  }
  EXPECT_GE(subcommands, 5);
}

}  // namespace
}  // namespace voxmark
