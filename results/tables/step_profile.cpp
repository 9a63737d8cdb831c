#include "results/tables/step_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "base/number_text.h"
#include "results/tables/case_table.h"
#include "results/tables/summary.h"
#include "results/tables/table.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

using PartName = std::pair<std::string, std::string>;  // kind, direction

double median(std::vector<double> values) { return spread_of(std::move(values)).median; }

double median_of_steps(const Record& record, double StepTimes::* member) {
  return process_seconds(record, member).value_or(0);
}

// Of one process; empty where nothing was watched.
std::map<PartName, double> parts_of(const Record& record) {
  std::map<PartName, double> parts;
  for (const StageRecord& stage : record.stages) {
    if (stage.seconds && !stage.kind.empty()) {
      parts[{stage.kind, stage.recomputed ? "recomputed" : stage.direction}] += *stage.seconds;
    }
  }
  if (!parts.empty()) {
    parts[{"update", "update"}] = median_of_steps(record, &StepTimes::update_seconds);
  }
  return parts;
}

StepProfile profile_of(const std::vector<const Record*>& processes) {
  StepProfile profile;
  profile.spec = case_identity(processes.front()->spec);
  std::map<PartName, std::vector<double>> seconds;
  std::vector<double> steps;
  for (const Record* record : processes) {
    steps.push_back(median_of_steps(*record, &StepTimes::step_seconds));
    for (const auto& [name, value] : parts_of(*record)) {
      seconds[name].push_back(value);
    }
  }
  for (auto& [name, values] : seconds) {
    profile.parts.push_back({name.first, name.second, median(std::move(values))});
  }
  profile.step_seconds = median(std::move(steps));
  return profile;
}

std::string workload_key(Json spec) {
  spec.erase("backend");
  return case_key(spec);
}

std::string milliseconds(double seconds) { return significant(1e3 * seconds, 4); }

// As describe() says it, without the backend, and with the threads.
std::string workload_text(const Json& spec) {
  std::string text;
  for (const CaseField& field : case_fields()) {
    const Json value = spec.value(field.name, Json());
    const bool is_told = !field.short_name.empty() || field.name == "threads";
    if (value.is_null() || !is_told || field.name == "backend") {
      continue;
    }
    text += text.empty() ? "" : " ";
    text += field.name == "threads"
                ? counted(value.get<std::int64_t>(), "thread")
                : fmt::format(fmt::runtime(field.short_name), value_words(field, value));
  }
  return text;
}

double part_seconds(const StepProfile& profile, const PartName& name) {
  const auto found = std::ranges::find_if(profile.parts, [&](const ProfilePart& part) {
    return PartName{part.kind, part.direction} == name;
  });
  return found == profile.parts.end() ? 0 : found->seconds;
}

double watched_seconds(const StepProfile& profile) {
  double sum = 0;
  for (const ProfilePart& part : profile.parts) {
    sum += part.seconds;
  }
  return sum;
}

std::string render(const std::vector<const StepProfile*>& profiles) {
  std::map<PartName, double> longest;  // over the backends
  Table table{{{"work", Align::left}, {"direction", Align::left}}, {}};
  for (const StepProfile* profile : profiles) {
    table.columns.push_back({profile->spec.at("backend").get<std::string>() + " ms", Align::right});
    table.columns.push_back({"share", Align::right});
    for (const ProfilePart& part : profile->parts) {
      double& seconds = longest[{part.kind, part.direction}];
      seconds = std::max(seconds, part.seconds);
    }
  }
  std::vector<std::pair<PartName, double>> rows(longest.begin(), longest.end());
  std::ranges::stable_sort(rows, std::ranges::greater(), &std::pair<PartName, double>::second);
  for (const auto& [name, unused] : rows) {
    std::vector<std::string> cells = {name.first, name.second};
    for (const StepProfile* profile : profiles) {
      const double seconds = part_seconds(*profile, name);
      cells.push_back(seconds > 0 ? milliseconds(seconds) : "-");
      cells.push_back(
          seconds > 0 ? fmt::format("{:.1f}%", 100 * seconds / watched_seconds(*profile)) : "");
    }
    table.rows.push_back(std::move(cells));
  }
  std::vector<std::string> sums = {"all of it, watched", ""};
  std::vector<std::string> steps = {"the timed step", ""};
  for (const StepProfile* profile : profiles) {
    sums.insert(sums.end(), {milliseconds(watched_seconds(*profile)), ""});
    steps.insert(steps.end(), {milliseconds(profile->step_seconds), ""});
  }
  table.rows.push_back(std::move(sums));
  table.rows.push_back(std::move(steps));
  return render_text(table);
}

}  // namespace

std::vector<StepProfile> step_profiles(std::span<const Record> records) {
  std::vector<std::vector<const Record*>> cases;
  std::map<std::string, std::size_t> index_of;
  for (const Record& record : records) {
    if (!publishes_times(record.outcome)) {
      continue;
    }
    const auto [found, is_new] =
        index_of.try_emplace(case_key(case_identity(record.spec)), cases.size());
    if (is_new) {
      cases.emplace_back();
    }
    cases[found->second].push_back(&record);
  }
  std::vector<StepProfile> profiles;
  profiles.reserve(cases.size());
  for (const auto& processes : cases) {
    profiles.push_back(profile_of(processes));
  }
  return profiles;
}

std::string render_profiles(std::span<const StepProfile> profiles) {
  std::vector<std::vector<const StepProfile*>> workloads;
  std::map<std::string, std::size_t> index_of;
  std::string untold;
  for (const StepProfile& profile : profiles) {
    if (profile.parts.empty()) {
      untold += fmt::format("{}: tells no seconds of its stages\n",
                            profile.spec.at("backend").get<std::string>());
      continue;
    }
    const auto [found, is_new] = index_of.try_emplace(workload_key(profile.spec), workloads.size());
    if (is_new) {
      workloads.emplace_back();
    }
    workloads[found->second].push_back(&profile);
  }
  std::string text;
  for (const auto& own : workloads) {
    text += fmt::format(
        "Where the step goes, {}, in steps watched stage by stage apart from the timed "
        "ones, with shares of their sum:\n{}",
        workload_text(own.front()->spec), render(own));
  }
  return text + untold;
}

}  // namespace voxmark
