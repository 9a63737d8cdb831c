#include "results/claims/claims_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/number_text.h"
#include "results/claims/generations.h"
#include "results/tables/case_table.h"

namespace voxmark {
namespace {

constexpr const char* kNothing = "-";

std::string seconds_text(const std::optional<Spread>& seconds) {
  return seconds ? significant(seconds->median, 3) : kNothing;
}

std::string isa_text(const MeasuredCase& own) { return own.isa().empty() ? "all" : own.isa(); }

// Of the step that was observed after the timed ones.
std::string observed_text(const MeasuredCase& own, std::optional<double> ObservedStep::* member) {
  const auto seconds = median_over(own, [&](const Record& record) {
    const auto& probes = record.facts.probes;
    return probes && probes->observed_step ? *probes->observed_step.*member : std::nullopt;
  });
  return seconds ? significant(*seconds, 3) : kNothing;
}

Table findings_by(std::span<const Finding> findings, bool derived) {
  Table table;
  if (derived) {
    table.columns = {
        {"compared", Align::left, true}, {"times as fast, here"}, {"remark", Align::left, true}};
  } else {
    table.columns = {{"the paper says", Align::left, true},
                     {"paper", Align::left, true},
                     {"here"},
                     {"verdict"},
                     {"remark", Align::left, true}};
  }
  std::string last;
  for (const Finding& finding : findings) {
    if (finding.derived != derived) {
      continue;
    }
    const bool again = finding.claim == last;
    last = finding.claim;
    const std::string place = finding.place.empty() ? "" : " (" + finding.place + ")";
    const std::string sentence = again ? "" : finding.sentence + place;
    if (derived) {
      table.rows.push_back({sentence, finding.here, finding.remark});
    } else {
      table.rows.push_back({sentence, again ? "" : finding.paper, finding.here,
                            verdict_word(finding), finding.remark});
    }
  }
  return table;
}

const MeasuredCase* at_workload(const std::vector<MeasuredCase>& cases, const Json& workload) {
  const auto found = std::ranges::find_if(
      cases, [&](const MeasuredCase& own) { return own.workload() == workload; });
  return found == cases.end() ? nullptr : &*found;
}

struct Link {
  std::string from, to, meaning;
  std::optional<Ratio> wall, cpu, user;
};

Link link_between(const std::vector<MeasuredCase>& cases, const Json& workload, std::string from,
                  std::string to, std::string meaning) {
  Link link{std::move(from), std::move(to), std::move(meaning), {}, {}, {}};
  const auto slow_cases = of_backend(cases, link.from);
  const auto fast_cases = of_backend(cases, link.to);
  const MeasuredCase* slow = at_workload(slow_cases, workload);
  const MeasuredCase* fast = at_workload(fast_cases, workload);
  if (slow != nullptr && fast != nullptr) {
    link.wall = ratio_of(*slow, *fast, "wall", "step");
    link.cpu = ratio_of(*slow, *fast, "cpu", "step");
    link.user = ratio_of(*slow, *fast, "user", "step");
  }
  return link;
}

std::string times_text(const std::optional<Ratio>& ratio) {
  return ratio ? fmt::format("{:.2f}x", ratio->times.middle) : kNothing;
}

std::vector<std::string> link_row(const Link& link) {
  return {link.from,
          link.to,
          link.wall ? ratio_text(*link.wall) : kNothing,
          times_text(link.cpu),
          times_text(link.user),
          link.meaning};
}

// Of one clock over all links; "-" where one of them is missing.
std::string product_text(const std::vector<Link>& links, std::optional<Ratio> Link::* clock) {
  double product = 1;
  for (const Link& link : links) {
    if (!(link.*clock)) {
      return kNothing;
    }
    product *= (link.*clock)->times.middle;
  }
  return fmt::format("{:.2f}x", product);
}

}  // namespace

Table findings_table(std::span<const Finding> findings) { return findings_by(findings, false); }

Table derived_table(std::span<const Finding> findings) { return findings_by(findings, true); }

Factors factors(const Claims& claims, const Report& report) {
  Factors result;
  result.table.columns = {{"from", Align::left},
                          {"to", Align::left},
                          {"wall time", Align::left},
                          {"CPU time", Align::left, true},
                          {"user time", Align::left, true},
                          {"what that is", Align::left, true}};
  const std::vector<MeasuredCase> cases = papers_cases(report);
  const auto first = claims.factors.front().at("from").get<std::string>();
  const auto last = claims.factors.back().at("to").get<std::string>();
  // The largest shape that every link has; failing that, both ends.
  const auto has = [&](const Json& backend, const MeasuredCase& start) {
    return at_workload(of_backend(cases, backend.get<std::string>()), start.workload()) != nullptr;
  };
  const MeasuredCase* largest = nullptr;
  bool is_whole = false;
  const auto starts = of_backend(cases, first);
  for (const MeasuredCase& start : starts) {
    const bool all = std::ranges::all_of(
        claims.factors, [&](const Json& factor) { return has(factor.at("to"), start); });
    if (has(last, start) && (all || !is_whole)) {
      largest = &start;
      is_whole = all;
    }
  }
  if (largest == nullptr) {
    result.shape = starts.empty() ? why_not(cases, first) : why_not(cases, last);
    return result;
  }
  result.shape = largest->shape();
  std::vector<Link> links;
  for (const Json& factor : claims.factors) {
    links.push_back(link_between(cases, largest->workload(), factor.at("from").get<std::string>(),
                                 factor.at("to").get<std::string>(),
                                 factor.at("meaning").get<std::string>()));
    result.table.rows.push_back(link_row(links.back()));
  }
  result.table.rows.push_back({"all links multiplied", "", product_text(links, &Link::wall),
                               product_text(links, &Link::cpu), product_text(links, &Link::user),
                               ""});
  result.table.rows.push_back(
      link_row(link_between(cases, largest->workload(), first, last, "the whole, end to end")));
  return result;
}

Table cost_table(const Report& report, const std::string& shape) {
  Table table;
  table.columns = {{"backend", Align::left},
                   {"instructions", Align::left},
                   {"precision", Align::left},
                   {"processes", Align::right},
                   {"step s", Align::right},
                   {"watched: convolutions s", Align::right, true},
                   {"watched: all else s", Align::right, true},
                   {"user s", Align::right, true},
                   {"system s", Align::right, true},
                   {"page faults", Align::right, true}};
  for (const MeasuredCase& own : papers_cases(report)) {
    const auto wall = seconds_of(own.processes, "wall", "step");
    if (!wall || own.shape() != shape) {
      continue;
    }
    const auto faults = median_over(own, faults_per_step);
    table.rows.push_back({own.backend(), isa_text(own), own.precision(),
                          std::to_string(own.measured().size()), seconds_text(wall),
                          observed_text(own, &ObservedStep::convolution_seconds),
                          observed_text(own, &ObservedStep::other_seconds),
                          seconds_text(seconds_of(own.processes, "user", "step")),
                          seconds_text(seconds_of(own.processes, "system", "step")),
                          faults ? fmt::format("{:.0f}", *faults) : kNothing});
  }
  return table;
}

Table plan_table(const Report& report) {
  Table table;
  table.columns = {{"backend", Align::left},        {"shape", Align::left},
                   {"planned", Align::right},       {"resident before", Align::right, true},
                   {"measured peak", Align::right}, {"measured over both", Align::right, true}};
  for (const MeasuredCase& own : papers_cases(report)) {
    const auto figure = [&](std::optional<std::uint64_t> MemoryRecord::* bytes) {
      return median_over(own, [&](const Record& record) {
        const auto& value = record.memory.*bytes;
        return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
      });
    };
    const auto peak = figure(&MemoryRecord::peak_bytes);
    if (!peak || !own.isa().empty() || own.precision() != "fp32") {
      continue;
    }
    const auto planned = figure(&MemoryRecord::planned_bytes);
    const auto base = figure(&MemoryRecord::base_bytes);
    table.rows.push_back(
        {own.backend(), own.shape(), planned ? gigabytes_text(*planned) : kNothing,
         base ? gigabytes_text(*base) : kNothing, gigabytes_text(*peak),
         planned && base ? fmt::format("{:.2f}", *peak / (*planned + *base)) : kNothing});
  }
  return table;
}

Table memory_table(std::span<const MemoryLine> lines, std::span<const ServerStep> steps) {
  Table table;
  table.columns = {
      {"backend", Align::left}, {"precision", Align::left}, {"bytes per voxel", Align::right}};
  for (const ServerStep& step : steps) {
    table.columns.push_back(
        {fmt::format("{} on {}", step.text(), step.server_text()), Align::left, true});
  }
  for (const MemoryLine& line : lines) {
    const auto outcome = [&](double voxels, double server) {
      const Interval needed = line.bytes_at(voxels);
      const char* word = needed.high < server  ? "fits"
                         : needed.low > server ? "does not fit"
                                               : "undecided";
      return fmt::format("{}: {}", gigabytes_text(needed),
                         line.has_interval() && line.is_told() ? word : "undecided");
    };
    const Interval slope = line.slope();
    const std::string range = line.has_interval()
                                  ? fmt::format(" ({}..{}, {} sizes)", significant(slope.low, 3),
                                                significant(slope.high, 3), line.sizes)
                                  : " (two sizes: no interval)";
    table.rows.push_back({line.backend, line.precision, significant(slope.middle, 3) + range});
    for (const ServerStep& step : steps) {
      const auto voxels = static_cast<double>(step.image.voxels() * step.batch);
      table.rows.back().push_back(outcome(voxels, step.server_bytes));
    }
  }
  return table;
}

std::string gigabytes_text(double bytes) { return significant(bytes * 1e-9, 3) + " GB"; }

std::string gigabytes_text(const Interval& bytes) {
  return bytes.low == bytes.high
             ? gigabytes_text(bytes.middle)
             : fmt::format("{} ({}..{})", gigabytes_text(bytes.middle),
                           significant(bytes.low * 1e-9, 3), significant(bytes.high * 1e-9, 3));
}

std::string render_details(const Claims& claims, const Report& report,
                           std::span<const Finding> findings,
                           const std::function<std::string(const Table&)>& render) {
  std::string text = fmt::format(
      "Every backend's figures beside those of {}. Ratios are of medians over processes, with the "
      "range that the processes allow:\n\n{}\n",
      claims.source, render(findings_table(findings)));
  const auto section = [&text, &render](const std::string& title, const Table& table) {
    if (!table.rows.empty()) {
      text += fmt::format("{}:\n\n{}\n", title, render(table));
    }
  };
  section("The same comparison by other pairs, which is not the paper's", derived_table(findings));
  const Factors chain = factors(claims, report);
  if (chain.table.rows.empty()) {
    text += fmt::format("Where the factor comes from was not measured: {}.\n\n", chain.shape);
  }
  section(fmt::format("Where the factor comes from, link by link, at {} (times as fast, the whole "
                      "step)",
                      chain.shape),
          chain.table);
  const Generations through_time = generations(claims, report);
  section(
      fmt::format("The step by program, the oldest first, at {} (the peak is of the whole process)",
                  through_time.shape),
      generations_table(through_time));
  section(fmt::format("What a step costs at {}; convolutions and all else are of a further step, "
                      "watched stage by stage apart from the timed ones, and may add up to more",
                      chain.shape),
          cost_table(report, chain.shape));
  section("Memory, planned and measured (the paper's figures 3 and 5)", plan_table(report));
  section("The paper's table 2: lines through the sizes measured, with 95% intervals",
          memory_table(memory_lines(report), table_2(claims)));
  return text;
}

}  // namespace voxmark
