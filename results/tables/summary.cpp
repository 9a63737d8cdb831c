#include "results/tables/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/number_text.h"
#include "results/tables/deciding.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

// Over records that publish times and have measured steps.
std::optional<Spread> spread_over(std::span<const Record* const> records,
                                  double StepTimes::* member) {
  if (records.empty()) {
    return std::nullopt;
  }
  if (records.size() == 1) {
    Spread steps = spread_of(timed_seconds(*records.front(), member));
    steps.median = *process_seconds(*records.front(), member);
    return steps;
  }
  std::vector<double> values;
  for (const Record* record : records) {
    values.push_back(*process_seconds(*record, member));
  }
  return spread_of(std::move(values));
}

void append_note(std::string& note, const std::string& text) {
  if (!note.empty()) {
    note += "; ";
  }
  note += text;
}

// How serious an outcome is for the case as a whole: the largest one names it.
int severity(Outcome outcome) {
  if (outcome == Outcome::invalid) {
    return 3;
  }
  if (outcome == Outcome::diverged) {
    return 2;
  }
  return publishes_times(outcome) ? 1 : 0;
}

// "2 of 10 processes crashed: signal 11", or without the count when it is all of them.
void describe_failures(CaseSummary& summary, std::span<const Record* const> records) {
  std::map<std::pair<Outcome, std::string>, int> counts;
  for (const Record* record : records) {
    if (!publishes_times(record->outcome)) {
      ++counts[{record->outcome, record->reason.value_or("no reason given")}];
    }
  }
  for (const auto& [failure, count] : counts) {
    const std::string text = fmt::format("{}: {}", to_string(failure.first), failure.second);
    const bool all = count == static_cast<int>(records.size());
    append_note(summary.note,
                all ? text : fmt::format("{} of {} processes {}", count, records.size(), text));
  }
}

// What stands between two steps: all probes, and what is said of each step. Nothing where no record
// tells.
std::string harness_note(std::span<const Record* const> records) {
  std::vector<double> seconds;
  for (const Record* record : records) {
    const auto& probes = record->facts.probes;
    if (probes && probes->harness_seconds_per_step) {
      seconds.push_back(*probes->harness_seconds_per_step);
    }
  }
  if (seconds.empty()) {
    return "the harness alone";
  }
  return fmt::format("the harness alone: {:.3g} ms between two steps",
                     1e3 * spread_of(std::move(seconds)).median);
}

// Where timed steps still paid for what comes once (benches/run/warm_up.h).
std::string warm_up_note(std::span<const Record* const> records) {
  const auto cold = std::ranges::count_if(records, [](const Record* record) {
    return record->facts.warmup && record->facts.warmup->over == false;
  });
  return cold == 0 ? ""
                   : fmt::format("{} of {} {} timed before {} warm-up was over", cold,
                                 counted(std::ssize(records), "process"),
                                 cold == 1 ? "was" : "were", cold == 1 ? "its" : "their");
}

// Of the process that took most.
std::string memory_limit_note(std::span<const Record* const> records) {
  std::int64_t taken = 0, limit = 0;
  for (const Record* record : records) {
    const auto& beyond = record->facts.beyond_memory_limit;
    if (beyond && beyond->taken_bytes && beyond->limit_bytes && *beyond->taken_bytes > taken) {
      taken = *beyond->taken_bytes;
      limit = *beyond->limit_bytes;
    }
  }
  return taken == 0
             ? ""
             : fmt::format("took {}, the memory limit is {}", bytes_text(taken), bytes_text(limit));
}

// More threads than the CPUs that a control group grants.
std::string cpu_quota_note(std::span<const Record* const> records) {
  for (const Record* record : records) {
    const auto& beyond = record->facts.beyond_cpu_quota;
    if (beyond && beyond->cpus && beyond->threads) {
      return fmt::format("{} threads under a CPU quota of {:.3g}: all of them stop at times",
                         *beyond->threads, *beyond->cpus);
    }
  }
  return "";
}

// Copies that had no time in common say nothing of what they do together.
std::string copies_note(std::span<const Record* const> records) {
  for (const Record* record : records) {
    if (record->outcome == Outcome::ok && record->facts.copies && record->facts.copies->apart) {
      return *record->facts.copies->apart;
    }
  }
  return "";
}

// Threads of ranks that take turns on a CPU.
std::string sharing_note(std::span<const Record* const> records) {
  for (const Record* record : records) {
    const auto& probes = record->facts.probes;
    if (probes && probes->ranks && probes->ranks->value("oversubscribed", false)) {
      return "oversubscribed: ranks share CPUs";
    }
  }
  return "";
}

CaseSummary summarise_case(std::span<const Record* const> records) {
  CaseSummary summary;
  summary.spec = case_identity(records.front()->spec);
  summary.outcome = (*std::ranges::max_element(records, {}, [](const Record* record) {
                      return severity(record->outcome);
                    }))->outcome;
  describe_failures(summary, records);

  std::vector<const Record*> timed;
  for (const Record* record : records) {
    if (record->memory.planned_bytes) {
      summary.planned_bytes = record->memory.planned_bytes;
    }
    if (record->memory.peak_bytes) {
      summary.peak_bytes = std::max(summary.peak_bytes.value_or(0), *record->memory.peak_bytes);
    }
    if (!publishes_times(summary.outcome) || !publishes_times(record->outcome)) {
      continue;
    }
    if (!timed_seconds(*record, &StepTimes::step_seconds).empty()) {
      timed.push_back(record);
    }
  }
  if (!publishes_times(summary.outcome)) {
    return summary;
  }

  if (timed.empty()) {
    append_note(summary.note, "no step was measured after the warm-up");
    return summary;
  }
  const Deciding processes = deciding(timed);
  timed = processes.records;
  const Record& first = *timed.front();
  if (first.outcome == Outcome::overhead) {
    append_note(summary.note, harness_note(timed));
  }
  if (first.verification && !first.verification->verified) {
    append_note(summary.note,
                "not verified: " + first.verification->reason.value_or("no reason given"));
  }
  if (const auto others =
          first.verification ? first.verification->facts.other_kernels : std::nullopt;
      others && !others->empty()) {
    append_note(summary.note, fmt::format("{} ops timed by other kernels than were verified (first "
                                          "{})",
                                          others->size(), others->front()));
  }
  if (const std::string note = warm_up_note(timed); !note.empty()) {
    append_note(summary.note, note);
  }
  if (const std::string note = memory_limit_note(timed); !note.empty()) {
    append_note(summary.note, note);
  }
  const std::string apart = copies_note(timed);
  if (!apart.empty()) {
    append_note(summary.note, apart);
  }
  if (const std::string note = disturbed_note(processes); !note.empty()) {
    append_note(summary.note, note);
  }
  if (const std::string note = sharing_note(timed); !note.empty()) {
    append_note(summary.note, note);
  }
  if (const std::string note = cpu_quota_note(timed); !note.empty()) {
    append_note(summary.note, note);
  }
  for (const Record* record : timed) {
    summary.steps += static_cast<int>(timed_seconds(*record, &StepTimes::step_seconds).size());
  }
  summary.processes = static_cast<int>(timed.size());
  summary.disturbed = processes.disturbed;
  summary.left_out = processes.left_out;
  summary.step_seconds = spread_over(timed, &StepTimes::step_seconds);
  summary.forward_backward_seconds = spread_over(timed, &StepTimes::forward_backward_seconds);
  const double copies = summary.spec.value("copies", 1);
  const double images = copies * images_per_step(summary.spec);
  summary.forward_backward_seconds_per_image = summary.forward_backward_seconds->median / images;
  if (first.outcome == Outcome::ok && summary.step_seconds->median > 0 && apart.empty()) {
    summary.images_per_second = images / summary.step_seconds->median;
  }
  if (first.flops_per_step && first.outcome == Outcome::ok && summary.step_seconds->median > 0) {
    summary.flops_per_second =
        copies * static_cast<double>(*first.flops_per_step) / summary.step_seconds->median;
    if (first.facts.roofline && first.facts.roofline->seconds) {
      summary.roofline_share = *first.facts.roofline->seconds / summary.step_seconds->median;
    }
  }
  return summary;
}

}  // namespace

std::vector<double> timed_seconds(const Record& record, double StepTimes::* member) {
  std::vector<double> seconds;
  for (const SampleRecord& sample : record.samples) {
    if (sample.is_timed()) {
      seconds.push_back((*sample.times).*member);
    }
  }
  return seconds;
}

std::optional<double> process_seconds(const Record& record, double StepTimes::* member) {
  std::map<std::int64_t, std::vector<double>> of_copies;
  for (const SampleRecord& sample : record.samples) {
    if (sample.is_timed()) {
      of_copies[sample.copy.value_or(1)].push_back((*sample.times).*member);
    }
  }
  if (of_copies.size() < 2) {
    return of_copies.empty() ? std::nullopt
                             : std::optional(spread_of(of_copies.begin()->second).median);
  }
  double rates = 0;
  for (auto& [copy, seconds] : of_copies) {
    rates += 1 / spread_of(std::move(seconds)).median;
  }
  return static_cast<double>(of_copies.size()) / rates;
}

Spread spread_of(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

std::vector<CaseSummary> summarise(std::span<const Record> records) {
  std::vector<std::vector<const Record*>> cases;
  std::map<std::string, std::size_t> index_of;  // by the case's key, repeats as one
  for (const Record& record : records) {
    const auto [found, is_new] =
        index_of.try_emplace(case_key(case_identity(record.spec)), cases.size());
    if (is_new) {
      cases.emplace_back();
    }
    cases[found->second].push_back(&record);
  }
  std::vector<CaseSummary> summaries;
  summaries.reserve(cases.size());
  for (const auto& of_case : cases) {
    summaries.push_back(summarise_case(of_case));
  }
  return summaries;
}

std::optional<Spread> speed_up(const CaseSummary& baseline, const CaseSummary& other) {
  if (baseline.outcome != Outcome::ok || other.outcome != Outcome::ok ||
      !baseline.forward_backward_seconds || !other.forward_backward_seconds ||
      !same_workload(baseline.spec, other.spec)) {
    return std::nullopt;
  }
  const Spread& slow = *baseline.forward_backward_seconds;
  const Spread& fast = *other.forward_backward_seconds;
  if (fast.minimum <= 0) {
    return std::nullopt;
  }
  return Spread{slow.median / fast.median, slow.minimum / fast.maximum,
                slow.maximum / fast.minimum};
}

std::optional<Scaling> scaling(std::span<const CaseSummary> cases, const CaseSummary& own) {
  const auto without_threads = [](Json spec) {
    spec.erase("threads");
    return spec;
  };
  const auto threads_of = [](const CaseSummary& summary) {
    return summary.spec.value("threads", 1);
  };
  const Json same = without_threads(own.spec);
  const CaseSummary* fewest = nullptr;
  bool is_alone = true;
  for (const CaseSummary& summary : cases) {
    if (summary.outcome != Outcome::ok || !summary.step_seconds ||
        without_threads(summary.spec) != same) {
      continue;
    }
    is_alone = is_alone && threads_of(summary) == threads_of(own);
    if (fewest == nullptr || threads_of(summary) < threads_of(*fewest)) {
      fewest = &summary;
    }
  }
  if (is_alone || own.outcome != Outcome::ok || !own.step_seconds ||
      own.step_seconds->median <= 0) {
    return std::nullopt;
  }
  const double factor = fewest->step_seconds->median / own.step_seconds->median;
  return Scaling{factor, factor * threads_of(*fewest) / threads_of(own)};
}

}  // namespace voxmark
