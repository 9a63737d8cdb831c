#include "results/tables/measured_cases.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "results/tables/case_table.h"
#include "results/tables/deciding.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

bool is_papers_model(const Json& spec) {
  return spec.at("filters") == 16 && spec.at("input_channels") == 1 && spec.at("classes") == 1 &&
         spec.value("ranks", 1) == 1 && spec.value("copies", 1) == 1;
}

std::optional<double> sample_seconds(const SampleRecord& sample, const std::string& clock,
                                     const std::string& span) {
  if (!sample.times) {
    return std::nullopt;
  }
  if (clock == "wall") {
    return span == "step" ? sample.times->step_seconds : sample.times->forward_backward_seconds;
  }
  const Json& user = sample.readings.value("user_seconds", Json());
  const Json& system = sample.readings.value("system_seconds", Json());
  if (span != "step" || !user.is_number() || !system.is_number()) {
    return std::nullopt;  // CPU time is read once per step
  }
  return (clock == "system" ? 0.0 : user.get<double>()) +
         (clock == "user" ? 0.0 : system.get<double>());
}

// oneDNN's plain loops and its detour over a matrix multiplication: where an instruction set has no
// kernels of its own, they and not the set are what is measured.
std::string slow_kernels(const MeasuredCase& own) {
  const std::vector<StageRecord>& stages = own.measured().front()->stages;
  const auto slow = std::ranges::count_if(stages, &StageRecord::is_slow);
  return slow == 0 ? ""
                   : fmt::format("{} of {}'s {} stages run ref: or gemm: kernels", slow,
                                 own.backend(), stages.size());
}

void add_remark(std::string& remarks, const std::string& remark) {
  if (!remark.empty()) {
    remarks += (remarks.empty() ? "" : "; ") + remark;
  }
}

}  // namespace

double MeasuredCase::voxels() const {
  const auto image = spec.at("image").get<std::vector<double>>();
  return image.at(0) * image.at(1) * image.at(2) * batch();
}

std::string MeasuredCase::shape() const {
  const auto image = spec.at("image").get<std::vector<std::int64_t>>();
  return fmt::format("{} b{}", fmt::join(image, "x"), spec.at("batch").get<std::int64_t>());
}

Json MeasuredCase::workload() const {
  Json json = spec;
  for (const CaseField& field : case_fields()) {
    if (field.meaning != FieldMeaning::workload) {
      json.erase(std::string(field.name));
    }
  }
  json.erase("isa");  // the paper's two builds differ in it
  return json;
}

std::vector<const Record*> MeasuredCase::measured() const {
  std::vector<const Record*> ok;
  std::ranges::copy_if(processes, std::back_inserter(ok),
                       [](const Record* record) { return record->outcome == Outcome::ok; });
  return ok;
}

std::vector<MeasuredCase> papers_cases(const Report& report) {
  std::vector<MeasuredCase> cases;
  for (const Record& record : report.records) {
    if (!is_papers_model(record.spec)) {
      continue;
    }
    const Json spec = case_identity(record.spec);
    auto found =
        std::ranges::find_if(cases, [&](const MeasuredCase& own) { return own.spec == spec; });
    if (found == cases.end()) {
      found = cases.insert(cases.end(), MeasuredCase{spec, {}});
    }
    found->processes.push_back(&record);
  }
  return cases;
}

std::vector<MeasuredCase> of_one_setting(std::vector<MeasuredCase> cases) {
  std::erase_if(cases, [](const MeasuredCase& own) { return own.spec.at("data") != "synthetic"; });
  int threads = 0;
  for (const MeasuredCase& own : cases) {
    threads = own.measured().empty() ? threads : std::max(threads, own.threads());
  }
  std::erase_if(cases, [&](const MeasuredCase& own) {
    return !own.measured().empty() && own.threads() != threads;
  });
  return cases;
}

std::vector<MeasuredCase> of_backend(std::vector<MeasuredCase> cases, const std::string& backend,
                                     const std::string& isa) {
  std::erase_if(cases, [&](const MeasuredCase& own) {
    return own.backend() != backend || own.precision() != "fp32" || own.isa() != isa ||
           own.has_memory_limit() || own.measured().empty();
  });
  std::ranges::stable_sort(
      cases, {}, [](const MeasuredCase& own) { return std::pair(own.voxels(), own.threads()); });
  return cases;
}

std::string why_not(const std::vector<MeasuredCase>& cases, const std::string& backend,
                    const std::string& isa) {
  for (const MeasuredCase& own : cases) {
    if (own.backend() == backend && own.isa() == isa && own.measured().empty()) {
      const Record& record = *own.processes.front();
      return fmt::format("{}: {}: {}", backend, to_string(record.outcome),
                         record.reason.value_or("no reason given"));
    }
  }
  return backend + " was not run" + (isa.empty() ? "" : " with " + isa);
}

std::optional<Spread> seconds_of(std::span<const Record* const> processes, const std::string& clock,
                                 const std::string& span) {
  std::vector<const Record*> measured(processes.begin(), processes.end());
  std::erase_if(measured, [](const Record* own) { return own->outcome != Outcome::ok; });
  std::vector<double> medians;
  for (const Record* record : deciding(measured).records) {
    std::vector<double> seconds;
    for (const SampleRecord& sample : record->samples) {
      const auto value = sample_seconds(sample, clock, span);
      if (!sample.warmup && value) {
        seconds.push_back(*value);
      }
    }
    if (!seconds.empty()) {
      medians.push_back(spread_of(std::move(seconds)).median);
    }
  }
  return medians.empty() ? std::nullopt : std::optional(spread_of(std::move(medians)));
}

std::optional<double> median_over(
    const MeasuredCase& own, const std::function<std::optional<double>(const Record&)>& figure) {
  std::vector<double> values;
  for (const Record* record : own.measured()) {
    if (const auto value = figure(*record)) {
      values.push_back(*value);
    }
  }
  return values.empty() ? std::nullopt : std::optional(spread_of(std::move(values)).median);
}

std::optional<double> faults_per_step(const Record& record) {
  std::vector<double> faults;
  for (const SampleRecord& sample : record.samples) {
    const Json& count = sample.readings.value("minor_faults", Json());
    if (!sample.warmup && count.is_number()) {
      faults.push_back(count.get<double>());
    }
  }
  return faults.empty() ? std::nullopt : std::optional(spread_of(std::move(faults)).median);
}

std::optional<Ratio> ratio_of(const MeasuredCase& baseline, const MeasuredCase& contender,
                              const std::string& clock, const std::string& span) {
  const auto slow = seconds_of(baseline.processes, clock, span);
  const auto fast = seconds_of(contender.processes, clock, span);
  if (baseline.workload() != contender.workload() || !slow || !fast || !(fast->minimum > 0)) {
    return std::nullopt;
  }
  Ratio ratio;
  ratio.times = {slow->median / fast->median, slow->minimum / fast->maximum,
                 slow->maximum / fast->minimum};
  const Deciding before = deciding(baseline.measured()), after = deciding(contender.measured());
  ratio.processes = static_cast<int>(std::min(before.records.size(), after.records.size()));
  ratio.undisturbed =
      std::min(before.measured - before.disturbed, after.measured - after.disturbed);
  ratio.disturbed = before.disturbed + after.disturbed;
  if (ratio.disturbed > 0) {
    const int left_out = before.left_out + after.left_out;
    add_remark(ratio.remarks,
               fmt::format("something else ran beside {} of {} processes{}", ratio.disturbed,
                           before.measured + after.measured,
                           left_out == 0 ? "" : fmt::format(", and {} are left out", left_out)));
  }
  add_remark(ratio.remarks, slow_kernels(baseline));
  add_remark(ratio.remarks, slow_kernels(contender));
  return ratio;
}

std::string ratio_text(const Ratio& ratio) {
  const Interval& times = ratio.times;
  return ratio.processes < kFewestProcesses
             ? fmt::format("{:.2f}x (one process)", times.middle)
             : fmt::format("{:.2f}x ({:.2f}..{:.2f}, {} processes)", times.middle, times.low,
                           times.high, ratio.processes);
}

}  // namespace voxmark
