// A report's records by case: what one backend's processes measured of one workload. Pure; knows
// the paper's model, and nothing of what the paper claims.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "results/report.h"
#include "results/tables/summary.h"

namespace voxmark {

// An interval around what was measured.
struct Interval {
  double middle = 0;
  double low = 0;
  double high = 0;
};

// The processes of one case.
struct MeasuredCase {
  Json spec = Json::object();  // case_identity() of all of them
  std::vector<const Record*> processes;

  std::string backend() const { return spec.at("backend").get<std::string>(); }
  std::string precision() const { return spec.at("precision").get<std::string>(); }
  std::string isa() const { return spec.value("isa", ""); }  // "": what the CPU has
  bool has_memory_limit() const { return spec.contains("memory_limit_bytes"); }
  int threads() const { return spec.at("threads").get<int>(); }
  double batch() const { return spec.at("batch").get<double>(); }
  double voxels() const;      // of all images of the batch
  std::string shape() const;  // "64x64x64 b1"
  // What is computed, by whatever instruction set: equal for cases whose times compare.
  Json workload() const;
  // Processes that published times.
  std::vector<const Record*> measured() const;
};

// Cases of the paper's model (16 filters, one channel, one class), in the order of their records,
// whose report must outlive them.
std::vector<MeasuredCase> papers_cases(const Report& report);

// Those whose memory is a matter of size and backend alone: of synthetic images, on the largest
// number of threads that is among them.
std::vector<MeasuredCase> of_one_setting(std::vector<MeasuredCase> cases);

// Those of a backend that published times, in fp32 and without a memory limit, as the paper
// trained, in ascending size and number of threads.
std::vector<MeasuredCase> of_backend(std::vector<MeasuredCase> cases, const std::string& backend,
                                     const std::string& isa = "");

// Why there is no figure of a backend.
std::string why_not(const std::vector<MeasuredCase>& cases, const std::string& backend,
                    const std::string& isa = "");

// CPU or wall seconds of a case over the medians of its processes that decide
// (results/tables/deciding.h). clock "wall", "cpu" (user and system), "user" or "system"; span
// "forward_backward" (wall alone) or "step". Nothing where no process published such times.
std::optional<Spread> seconds_of(std::span<const Record* const> processes, const std::string& clock,
                                 const std::string& span);

// The median over a case's processes of what each of them tells; nothing where none does.
std::optional<double> median_over(
    const MeasuredCase& own, const std::function<std::optional<double>(const Record&)>& figure);
// The median over a process's timed steps.
std::optional<double> faults_per_step(const Record& record);

// How many times as fast the second of two cases is.
struct Ratio {
  Interval times;       // of the medians, and the range that the processes of both allow
  int processes = 0;    // the fewer of the two cases' that decide (results/tables/deciding.h)
  int undisturbed = 0;  // the same of those in which nothing else ran
  int disturbed = 0;    // processes of both in which something else ran
  std::string remarks;  // what a reader has to know of either: disturbed, slow kernels; or ""
};
std::optional<Ratio> ratio_of(const MeasuredCase& baseline, const MeasuredCase& contender,
                              const std::string& clock, const std::string& span);

// A claim about seconds needs the spread between undisturbed processes (the process is the sample).
constexpr int kFewestProcesses = 2;

// "5.20x (4.90..5.60, 3 processes)"
std::string ratio_text(const Ratio& ratio);

}  // namespace voxmark
