#include "results/tables/case_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>

#include "base/number_text.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

constexpr int kSecondsDigits = 4;  // a tenth of the 1 to 2% that processes differ by
constexpr int kRatioDigits = 3;
constexpr std::string_view kNothing = "-";

std::string value_cell(const CaseField& field, const CaseSummary& summary) {
  // What JSON leaves out is as everywhere: 1 rank, no memory limit.
  const Json left_out = field.is_optional ? field.read(CaseSpec{}) : Json();
  const Json value = summary.spec.value(field.name, left_out);
  const std::string words = value.is_null() ? "" : value_words(field, value);
  return words.empty() ? std::string(kNothing) : words;
}

bool differs(std::span<const CaseSummary> cases, const CaseField& field) {
  return std::ranges::any_of(cases, [&](const CaseSummary& summary) {
    return value_cell(field, summary) != value_cell(field, cases.front());
  });
}

std::string spread_text(const CaseSummary& summary) {
  const Spread& spread = *summary.step_seconds;
  const std::string range = fmt::format("{}..{}", significant(spread.minimum, kSecondsDigits),
                                        significant(spread.maximum, kSecondsDigits));
  return summary.processes > 1 ? fmt::format("{} ({} processes)", range, summary.processes)
                               : fmt::format("{} ({} {})", range, summary.steps,
                                             summary.steps == 1 ? "step" : "steps");
}

std::string speed_up_cell(std::span<const CaseSummary> cases, const std::string& baseline_backend,
                          const CaseSummary& summary) {
  for (const CaseSummary& baseline : cases) {
    if (baseline.spec.at("backend") != baseline_backend) {
      continue;
    }
    if (const auto ratio = speed_up(baseline, summary)) {
      return &baseline == &summary ? "baseline" : speed_up_text(baseline, summary, *ratio);
    }
  }
  return std::string(kNothing);
}

}  // namespace

Table case_table(std::span<const CaseSummary> cases,
                 const std::optional<std::string>& baseline_backend) {
  Table table;
  table.rows.resize(cases.size());
  const auto add_column = [&](const std::string& header, Align align,
                              const std::function<std::string(const CaseSummary&)>& cell) {
    table.columns.push_back({header, align});
    for (std::size_t i = 0; i < cases.size(); ++i) {
      table.rows[i].push_back(cell(cases[i]));
    }
  };
  // A figure, or the sign that there is none.
  const auto add_figure = [&](const std::string& header, auto figure, auto text) {
    add_column(header, Align::right, [=](const CaseSummary& summary) {
      const auto& value = summary.*figure;
      return value ? text(*value) : std::string(kNothing);
    });
  };

  for (const bool leads : {true, false}) {
    for (const CaseField& field : case_fields()) {
      if (field.leads == leads && !field.column.empty() && (leads || differs(cases, field))) {
        add_column(std::string(field.column), field.name == "backend" ? Align::left : Align::right,
                   [&](const CaseSummary& summary) { return value_cell(field, summary); });
      }
    }
  }
  add_figure("step s", &CaseSummary::step_seconds,
             [](const Spread& spread) { return significant(spread.median, kSecondsDigits); });
  add_column("spread", Align::left, [](const CaseSummary& summary) {
    return summary.step_seconds ? spread_text(summary) : std::string(kNothing);
  });
  if (std::ranges::any_of(cases,
                          [](const CaseSummary& own) { return own.spec.value("copies", 1) > 1; })) {
    add_figure("images/s", &CaseSummary::images_per_second,
               [](double images) { return significant(images, kSecondsDigits); });
  }
  add_figure("fwd+bwd s/image", &CaseSummary::forward_backward_seconds_per_image,
             [](double seconds) { return significant(seconds, kSecondsDigits); });
  add_figure("GFLOP/s", &CaseSummary::flops_per_second,
             [](double flops) { return significant(flops * 1e-9, kRatioDigits); });
  if (std::ranges::any_of(cases,
                          [](const CaseSummary& own) { return own.roofline_share.has_value(); })) {
    add_figure("of roofline", &CaseSummary::roofline_share,
               [](double share) { return fmt::format("{:.0f}%", 100 * share); });
  }
  if (std::ranges::any_of(
          cases, [&](const CaseSummary& own) { return scaling(cases, own).has_value(); })) {
    const auto add_scaling = [&](const std::string& header, auto text) {
      add_column(header, Align::right, [=](const CaseSummary& summary) {
        const std::optional<Scaling> found = scaling(cases, summary);
        return found ? text(*found) : std::string(kNothing);
      });
    };
    add_scaling("vs fewest threads", [](const Scaling& own) {
      return fmt::format("{}x", significant(own.speed_up, kRatioDigits));
    });
    add_scaling("efficiency",
                [](const Scaling& own) { return fmt::format("{:.0f}%", 100 * own.efficiency); });
  }
  const auto text_of = [](std::uint64_t bytes) {
    return bytes_text(static_cast<std::int64_t>(bytes));
  };
  add_figure("planned", &CaseSummary::planned_bytes, text_of);
  add_figure("peak memory", &CaseSummary::peak_bytes, text_of);
  if (baseline_backend) {
    add_column("fwd+bwd vs " + *baseline_backend, Align::left, [&](const CaseSummary& summary) {
      return speed_up_cell(cases, *baseline_backend, summary);
    });
  }
  add_column("note", Align::left, [](const CaseSummary& summary) { return summary.note; });
  // Which case, its time and its speed-up stay in the table.
  constexpr std::array<std::string_view, 7> kBelow = {
      "spread", "fwd+bwd s/image", "GFLOP/s", "of roofline", "planned", "peak memory", "note"};
  for (Column& column : table.columns) {
    column.may_go_below = std::ranges::find(kBelow, column.header) != kBelow.end();
  }
  return table;
}

std::string speed_up_text(const CaseSummary& baseline, const CaseSummary& other,
                          const Spread& speed_up) {
  const std::string times = significant(speed_up.median, kRatioDigits) + "x";
  if (std::min(baseline.processes, other.processes) < 2) {
    return times + " (one process)";
  }
  return fmt::format("{} ({}..{})", times, significant(speed_up.minimum, kRatioDigits),
                     significant(speed_up.maximum, kRatioDigits));
}

}  // namespace voxmark
