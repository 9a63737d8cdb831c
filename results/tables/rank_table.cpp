#include "results/tables/rank_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>

#include "base/number_text.h"
#include "results/tables/table.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

constexpr std::array kColumns = {"ranks x threads", "images/step", "step s",    "images/s",
                                 "speed-up",        "efficiency",  "model s",   "exposed",
                                 "statistics",      "loss",        "gradients", "slower rank",
                                 "hidden",          "MB sent"};

std::int64_t ranks_of(const Json& spec) { return spec.value("ranks", std::int64_t{1}); }
std::int64_t threads_of(const Json& spec) { return spec.at("threads").get<std::int64_t>(); }
double cores_of(const Json& spec) { return static_cast<double>(ranks_of(spec) * threads_of(spec)); }

// What has to be equal for two cases to be compared here.
std::string group_key(Json spec) {
  for (const char* name : {"ranks", "threads", "batch"}) {
    spec.erase(name);
  }
  return case_key(spec);
}

double median_or_zero(std::vector<double> values) {
  return values.empty() ? 0 : spread_of(std::move(values)).median;
}

// Nothing where no process of the case tells of its ranks.
std::optional<RankTimesSummary> times_of(std::span<const Record> records, const Json& spec) {
  std::map<std::string, std::vector<double>> values;
  for (const Record& record : records) {
    const auto& probes = record.facts.probes;
    if (!publishes_times(record.outcome) || case_identity(record.spec) != spec || !probes ||
        !probes->ranks) {
      continue;
    }
    for (const Json& rank : probes->ranks->value("each", Json::array())) {
      const Json& times = rank.value("times", Json::object());
      if (!times.contains("gradients_seconds")) {
        continue;  // a framework's, which keeps to itself when it waits
      }
      for (const auto& [name, value] : times.items()) {
        values[name].push_back(value.is_number() ? value.get<double>() : 0);
      }
      values["exposed"].push_back(times.value("statistics_seconds", 0.0) +
                                  times.value("loss_seconds", 0.0) +
                                  times.value("gradients_seconds", 0.0));
    }
  }
  if (values.empty()) {
    return std::nullopt;
  }
  return RankTimesSummary{median_or_zero(values["exposed"]),
                          median_or_zero(values["statistics_seconds"]),
                          median_or_zero(values["loss_seconds"]),
                          median_or_zero(values["gradients_seconds"]),
                          median_or_zero(values["slower_rank_seconds"]),
                          median_or_zero(values["hidden_seconds"]),
                          median_or_zero(values["bytes_sent"])};
}

std::optional<double> model_of(std::span<const Record> records, const Json& spec) {
  std::vector<double> seconds;
  for (const Record& record : records) {
    const Json model = record.details.value("rank_model", Json::object());
    if (publishes_times(record.outcome) && case_identity(record.spec) == spec &&
        model.value("seconds", Json()).is_number()) {
      seconds.push_back(model.at("seconds").get<double>());
    }
  }
  return seconds.empty() ? std::nullopt : std::optional(median_or_zero(std::move(seconds)));
}

void compare_with(const RankRow& first, RankRow& row) {
  const auto rate = [](const RankRow& r, double seconds) { return r.images_per_step / seconds; };
  const Spread &own = row.step_seconds, &other = first.step_seconds;
  row.speed_up = {row.images_per_second / first.images_per_second,
                  rate(row, own.maximum) / rate(first, other.minimum),
                  rate(row, own.minimum) / rate(first, other.maximum)};
  row.efficiency = row.speed_up.median * cores_of(first.spec) / cores_of(row.spec);
}

// "onednn 64x64x64 fp32": all that the group has in common and people name.
std::string name_of_group(const Json& spec) {
  std::string text;
  for (const CaseField& field : case_fields()) {
    const Json value = spec.value(field.name, Json());
    if (value.is_null() || field.short_name.empty() || field.name == "ranks" ||
        field.name == "batch") {
      continue;
    }
    text += (text.empty() ? "" : " ") +
            fmt::format(fmt::runtime(field.short_name), value_words(field, value));
  }
  return text;
}

std::string share(double part, double whole) {
  return fmt::format("{:.1f}%", whole > 0 ? 100 * part / whole : 0);
}

std::vector<std::string> cells_of(const RankRow& row, bool is_first) {
  std::vector<std::string> cells = {
      fmt::format("{}x{}", ranks_of(row.spec), threads_of(row.spec)),
      fmt::format("{}", row.images_per_step),
      significant(row.step_seconds.median, 4),
      significant(row.images_per_second, 4),
      is_first
          ? "1"
          : fmt::format("{} ({}..{})", significant(row.speed_up.median, 3),
                        significant(row.speed_up.minimum, 3), significant(row.speed_up.maximum, 3)),
      is_first ? "-" : fmt::format("{:.0f}%", 100 * row.efficiency),
      row.model_seconds ? fmt::format("{} ({:+.0f}%)", significant(*row.model_seconds, 4),
                                      100 * (*row.model_seconds / row.step_seconds.median - 1))
                        : "-"};
  if (row.times) {
    const double step = row.step_seconds.median;
    const RankTimesSummary& t = *row.times;
    for (const double seconds :
         {t.exposed, t.statistics, t.loss, t.gradients, t.slower_rank, t.hidden}) {
      cells.push_back(share(seconds, step));
    }
    cells.push_back(significant(1e-6 * t.bytes_sent, 3));
  } else {
    cells.resize(kColumns.size(), "-");
  }
  return cells;
}

}  // namespace

std::vector<std::vector<RankRow>> rank_rows(std::span<const Record> records) {
  std::vector<std::vector<RankRow>> groups;
  std::map<std::string, std::size_t> index_of;
  for (const CaseSummary& own : summarise(records)) {
    if (own.outcome != Outcome::ok || !own.step_seconds) {
      continue;
    }
    RankRow row;
    row.spec = own.spec;
    row.images_per_step = images_per_step(own.spec);
    row.step_seconds = *own.step_seconds;
    row.images_per_second = row.images_per_step / row.step_seconds.median;
    row.times = times_of(records, own.spec);
    row.model_seconds = model_of(records, own.spec);
    const auto [found, is_new] = index_of.try_emplace(group_key(own.spec), groups.size());
    if (is_new) {
      groups.emplace_back();
    }
    groups[found->second].push_back(std::move(row));
  }
  std::erase_if(groups, [](const std::vector<RankRow>& group) {
    return std::ranges::all_of(group, [](const RankRow& row) { return ranks_of(row.spec) == 1; });
  });
  for (std::vector<RankRow>& group : groups) {
    std::ranges::stable_sort(group, {}, [](const RankRow& row) {
      return std::tuple(ranks_of(row.spec), threads_of(row.spec), row.images_per_step);
    });
    for (RankRow& row : std::span(group).subspan(1)) {
      compare_with(group.front(), row);
    }
  }
  return groups;
}

std::string render_rank_rows(std::span<const std::vector<RankRow>> groups) {
  std::string text;
  for (const std::vector<RankRow>& group : groups) {
    Table table;
    for (const char* header : kColumns) {
      table.columns.push_back({header, Align::right});
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
      table.rows.push_back(cells_of(group[i], i == 0));
    }
    text += fmt::format("{}Ranks of {}\n{}", text.empty() ? "" : "\n",
                        name_of_group(group.front().spec), render_text(table));
  }
  return text.empty()
             ? text
             : text +
                   "Shares of the step. Exposed: a rank computes nothing; of it, slower rank: "
                   "until the last one came. Hidden: gradients travel while it computes. Model: "
                   "predicted from computing alone and the limits of messages, and how far that is "
                   "from the measured step.\n";
}

}  // namespace voxmark
