#include "results/claims/generations.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/number_text.h"

namespace voxmark {
namespace {

std::optional<double> peak_per_voxel(const MeasuredCase& own) {
  const auto peak = median_over(own, [](const Record& record) {
    const auto& bytes = record.memory.peak_bytes;
    return bytes ? std::optional(static_cast<double>(*bytes)) : std::nullopt;
  });
  return peak ? std::optional(*peak / own.voxels()) : std::nullopt;
}

std::string count_text(const std::optional<double>& count) {
  return count ? fmt::format("{:.0f}", *count) : kNoFigure;
}

Json json_of(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

}  // namespace

Generations generations(const Claims& claims, const Report& report) {
  const std::vector<MeasuredCase> cases = of_one_setting(papers_cases(report));
  std::map<std::string, std::vector<std::pair<const Json*, MeasuredCase>>> by_shape;
  for (const Json& generation : claims.generations) {
    for (const MeasuredCase& measured :
         of_backend(cases, generation.at("backend").get<std::string>())) {
      by_shape[measured.shape()].emplace_back(&generation, measured);
    }
  }
  const auto best = std::ranges::max_element(by_shape, {}, [](const auto& entry) {
    return std::pair(entry.second.size(), entry.second.front().second.voxels());
  });
  Generations found;
  if (best == by_shape.end() || best->second.size() < 2) {
    return found;
  }
  found.shape = best->first;
  const MeasuredCase& first = best->second.front().second;
  for (const auto& [generation, own] : best->second) {
    const auto seconds = seconds_of(own.processes, "wall", "step");
    found.rows.push_back({own.backend(), generation->at("meaning").get<std::string>(),
                          seconds ? seconds->median : 0,
                          &own == &first ? std::nullopt : ratio_of(first, own, "wall", "step"),
                          median_over(own, faults_per_step), peak_per_voxel(own)});
  }
  return found;
}

Table generations_table(const Generations& generations) {
  Table table{{{"program"},
               {"what that is", Align::left, true},
               {"step s", Align::right},
               {"times as fast"},
               {"page faults", Align::right},
               {"peak bytes per voxel", Align::right}},
              {}};
  for (const Generation& row : generations.rows) {
    const bool is_first = &row == &generations.rows.front();
    table.rows.push_back({row.backend, row.meaning,
                          row.step_seconds ? significant(*row.step_seconds, 3) : kNoFigure,
                          row.times  ? ratio_text(*row.times)
                          : is_first ? "1"
                                     : kNoFigure,
                          count_text(row.page_faults), count_text(row.peak_bytes_per_voxel)});
  }
  return table;
}

Json to_json(const Generations& generations) {
  Json rows = Json::array();
  for (const Generation& row : generations.rows) {
    rows.push_back({{"backend", row.backend},
                    {"meaning", row.meaning},
                    {"step_seconds", json_of(row.step_seconds)},
                    {"times", row.times ? Json(row.times->times.middle) : Json()},
                    {"page_faults", json_of(row.page_faults)},
                    {"peak_bytes_per_voxel", json_of(row.peak_bytes_per_voxel)}});
  }
  return {{"shape", generations.shape}, {"rows", std::move(rows)}};
}

}  // namespace voxmark
