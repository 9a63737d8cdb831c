#include "results/claims/claims.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "base/json_schema.h"
#include "base/number_text.h"
#include "results/claims/claims_data.h"
#include "results/claims/claims_tables.h"
#include "results/claims/judgements.h"
#include "results/claims/memory_line.h"
#include "results/claims/papers_training.h"
#include "results/tables/case_table.h"
#include "workloads/network/kept_bytes.h"

namespace voxmark {
namespace {

// The largest that more than one undisturbed process measured decides, or the largest of all.
void let_the_largest_decide(std::vector<Finding>& findings, const std::vector<int>& undisturbed) {
  std::size_t decisive = findings.size() - 1;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (undisturbed[i] >= kFewestProcesses) {
      decisive = i;
    }
  }
  for (std::size_t i = 0; i < findings.size(); ++i) {
    findings[i].decides = i == decisive;
  }
}

std::vector<Finding> judge_ratio_claim(const Json& claim, const std::vector<MeasuredCase>& cases) {
  const auto baseline = claim.at("baseline").get<std::string>();
  const auto contender = claim.at("contender").get<std::string>();
  const auto clock = claim.at("clock").get<std::string>();
  const auto baseline_isa = claim.value("baseline_isa", std::string());
  const auto contender_isa = claim.value("contender_isa", std::string());
  Finding common = start_finding(claim);
  if (!common.derived) {
    common.paper = fmt::format("{}x", claim.at("value").get<double>());
  }
  common.remark = fmt::format("{} / {}, {} time of {}", baseline, contender, clock,
                              claim.at("span") == "step" ? "the step" : "forward and backward");
  std::vector<Finding> findings;
  std::vector<int> undisturbed;
  const auto slow_cases = of_backend(cases, baseline, baseline_isa);
  const auto fast_cases = of_backend(cases, contender, contender_isa);
  for (const MeasuredCase& slow : slow_cases) {
    for (const MeasuredCase& fast : fast_cases) {
      const auto ratio = ratio_of(slow, fast, clock, claim.at("span").get<std::string>());
      if (!ratio) {
        continue;
      }
      Finding finding = common;
      finding.here = fmt::format("{} at {}", ratio_text(*ratio), slow.shape());
      finding.voxels = slow.voxels();
      if (!ratio->remarks.empty()) {
        finding.remark += "; " + ratio->remarks;
      }
      if (!finding.derived && ratio->undisturbed < kFewestProcesses) {
        finding.verdict = Verdict::open;
        finding.remark +=
            fmt::format("; a verdict takes {} undisturbed processes of each", kFewestProcesses);
      } else if (!finding.derived) {
        finding.verdict = judge_ratio(ratio->times, claim.at("value").get<double>(),
                                      claim.at("tolerance").get<double>());
      }
      findings.push_back(finding);
      undisturbed.push_back(ratio->undisturbed);
    }
  }
  if (findings.empty()) {
    common.remark = slow_cases.empty()   ? why_not(cases, baseline, baseline_isa)
                    : fast_cases.empty() ? why_not(cases, contender, contender_isa)
                                         : "the two were measured at no shape in common";
    return {common};
  }
  let_the_largest_decide(findings, undisturbed);
  return findings;
}

// What this machine does in fp32 at most, with so many threads; 0 where it was not measured.
double fp32_limit(const Report& report, int threads) {
  for (const MachineLimits& limit :
       report.header.limits.machine.value_or(std::vector<MachineLimits>())) {
    if (limit.threads == threads) {
      return limit.fp32_flops_per_second.value_or(0);
    }
  }
  return 0;
}

// Why a backend was not measured at more voxels than that; "" where nothing larger was tried.
std::string why_not_larger(const std::vector<MeasuredCase>& cases, const std::string& backend,
                           double voxels) {
  const MeasuredCase* next = nullptr;
  for (const MeasuredCase& own : cases) {
    if (own.backend() == backend && own.isa().empty() && own.precision() == "fp32" &&
        own.measured().empty() && own.voxels() > voxels &&
        (next == nullptr || own.voxels() < next->voxels())) {
      next = &own;
    }
  }
  return next == nullptr ? ""
                         : fmt::format("{}: {}", next->shape(),
                                       next->processes.front()->reason.value_or("not measured"));
}

// Another machine's seconds: what can be said is which share of its limit each reached.
Finding judge_seconds(const Json& claim, const std::string& backend,
                      const std::vector<MeasuredCase>& cases, const Report& report) {
  Finding finding = start_finding(claim, backend);
  const double value = claim.at("value").get<double>();
  finding.paper = fmt::format("{} s per image", value);
  const auto own = of_backend(cases, backend);
  if (own.empty()) {
    finding.remark = why_not(cases, backend);
    return finding;
  }
  const MeasuredCase& largest = own.back();
  const auto seconds = seconds_of(largest.processes, "wall", claim.at("span").get<std::string>());
  const std::optional<std::int64_t> flops = largest.measured().front()->flops_per_step;
  if (!seconds || !flops) {
    finding.remark = backend + ": the records have no seconds or no FLOP count";
    return finding;
  }
  const double rate = static_cast<double>(*flops) / seconds->median;
  const double per_image =
      seconds->median / largest.voxels() * voxels_of(claim) / claim.at("batch").get<double>();
  finding.here =
      fmt::format("{}: {} s, in proportion from {} s at {}", backend, significant(per_image, 3),
                  significant(seconds->median / largest.batch(), 3), largest.shape());
  // Nominal work is proportional to voxels.
  const double paper_rate = static_cast<double>(*flops) / largest.voxels() * voxels_of(claim) /
                            claim.at("batch").get<double>() / value;
  finding.remark = fmt::format(
      "another CPU's seconds; there {} GFLOP/s of nominal work, {}% of its peak; here {} GFLOP/s",
      significant(paper_rate * 1e-9, 3),
      significant(100 * paper_rate / claim.at("server_flops_per_second").get<double>(), 2),
      significant(rate * 1e-9, 3));
  const double limit = fp32_limit(report, largest.threads());
  finding.remark +=
      limit > 0
          ? fmt::format(", {}% of what {} {} at most{}", significant(100 * rate / limit, 2),
                        largest.threads(), largest.threads() == 1 ? "thread does" : "threads do",
                        // Nominal work is the direct algorithm's.
                        rate > limit ? " by the direct algorithm (Winograd's multiplies less)" : "")
          : " (this machine's limit was not measured)";
  const std::string larger = why_not_larger(cases, backend, largest.voxels());
  finding.remark += larger.empty() ? "" : "; " + larger;
  return finding;
}

Finding judge_count(const Json& claim, const Json& model) {
  Finding finding = start_finding(claim);
  const auto expected = claim.at("value").get<std::int64_t>();
  const auto found = model.at(claim.at("quantity").get<std::string>()).get<std::int64_t>();
  finding.paper = std::to_string(expected);
  finding.here = std::to_string(found);
  finding.verdict = found == expected ? Verdict::holds : Verdict::does_not_hold;
  finding.remark = "counted, not measured";
  return finding;
}

void be_too_small(const MeasuredCase& largest, const MemoryLine& line, Finding& finding) {
  finding.here = fmt::format("{}: {} is too small to tell", largest.backend(), largest.shape());
  finding.remark = fmt::format("what grows with the image is {}% of its peak",
                               significant(100 * line.growing_share(), 2));
  finding.verdict = Verdict::open;
}

// Of a program that does not plan: its bytes per voxel over those that the paper calculated, which
// are known in sum alone. Beside them, what keeping every tensor of the step would take.
void judge_calculation(const Json& claim, const std::string& backend,
                       const std::vector<MeasuredCase>& cases, const MemoryLine& line,
                       Finding& finding) {
  if (!line.is_told()) {
    be_too_small(cases.back(), line, finding);
    return;
  }
  const double calculated = claim.at("calculated_bytes").get<double>() / voxels_of(claim);
  const double kept = keeps_everything_bytes_per_voxel(UnetOptions{}, Precision::fp32);
  const Interval slope = line.slope();
  const Interval ratio{slope.middle / calculated, slope.low / calculated, slope.high / calculated};
  finding.here = fmt::format("{}: {} bytes per voxel, {:.2f} ({:.2f}..{:.2f}) of the paper's {}",
                             backend, significant(slope.middle, 3), ratio.middle, ratio.low,
                             ratio.high, significant(calculated, 3));
  finding.remark = fmt::format("keeping every tensor of the step takes {}", significant(kept, 3));
  finding.verdict = line.has_interval() ? judge_value(ratio, claim.at("value").get<double>(),
                                                      claim.at("tolerance").get<double>())
                                        : Verdict::open;
}

// Measured over planned: the plan and what was resident before, against the high-water mark.
Finding judge_plan(const Json& claim, const std::string& backend,
                   const std::vector<MeasuredCase>& cases, const std::vector<MemoryLine>& lines) {
  Finding finding = start_finding(claim, backend);
  finding.paper = "measured = calculated";
  std::vector<double> ratios;
  std::vector<std::string> shapes;
  for (const MeasuredCase& own : of_backend(cases, backend)) {
    shapes.push_back(own.shape());
    for (const Record* record : own.measured()) {
      const MemoryRecord& memory = record->memory;
      if (memory.planned_bytes && memory.base_bytes && memory.peak_bytes) {
        ratios.push_back(static_cast<double>(*memory.peak_bytes) /
                         static_cast<double>(*memory.planned_bytes + *memory.base_bytes));
      }
    }
  }
  if (ratios.empty()) {
    const auto own = of_backend(cases, backend);
    if (const MemoryLine* line = line_of(lines, backend)) {
      judge_calculation(claim, backend, own, *line, finding);
    } else {
      finding.remark = no_line(cases, backend);
    }
    return finding;
  }
  const Spread spread = spread_of(ratios);
  finding.here = fmt::format("{}: {:.2f} ({:.2f}..{:.2f}) of the plan", backend, spread.median,
                             spread.minimum, spread.maximum);
  finding.verdict =
      judge_value({spread.median, spread.minimum, spread.maximum}, claim.at("value").get<double>(),
                  claim.at("tolerance").get<double>());
  finding.remark = fmt::format("high-water mark over plan and what was resident before, at {}",
                               fmt::join(shapes, ", "));
  return finding;
}

void judge_fit(const Json& claim, const Interval& needed, Finding& finding) {
  const double server = claim.at("server_bytes").get<double>();
  const bool claimed = claim.at("fits").get<bool>();
  if (needed.low <= server && needed.high >= server) {
    finding.verdict = Verdict::open;
    return;
  }
  const bool fits = needed.high < server;
  finding.verdict = fits == claimed ? Verdict::holds : Verdict::does_not_hold;
  finding.here += fits ? ", fits" : ", does not fit";
}

void judge_bytes(const Json& claim, const Interval& needed, Finding& finding) {
  const double value = claim.at("value").get<double>();
  if (claim.value("at_least", false)) {
    finding.verdict = needed.low >= value   ? Verdict::holds
                      : needed.high < value ? Verdict::less
                                            : Verdict::open;
  } else {
    finding.verdict = judge_value(needed, value, claim.at("tolerance").get<double>());
  }
}

Finding judge_memory(const Json& claim, const std::string& backend,
                     const std::vector<MeasuredCase>& cases, const std::vector<MemoryLine>& lines) {
  const bool is_fit = claim.at("kind") == "fit";
  Finding finding = start_finding(claim, backend);
  finding.paper = is_fit ? (claim.at("fits").get<bool>() ? "fits" : "does not fit")
                         : claim.at("figure").get<std::string>();
  const MemoryLine* line = line_of(lines, backend);
  if (line == nullptr) {
    finding.remark = no_line(cases, backend);
    return finding;
  }
  const auto own = of_backend(cases, backend);
  if (!line->is_told()) {
    be_too_small(own.back(), *line, finding);
    return finding;
  }
  const double voxels = voxels_of(claim);
  const Interval needed = line->bytes_at(voxels);
  finding.here = fmt::format("{}: {} by a line, {} times its largest", backend,
                             gigabytes_text(needed), significant(voxels / line->most_voxels, 2));
  finding.remark = fmt::format("a line through {} sizes, the largest {}% of this batch",
                               line->sizes, significant(100 * own.back().voxels() / voxels, 2));
  if (!line->has_interval()) {
    finding.verdict = Verdict::open;
    finding.remark += ": two sizes leave no interval";
  } else if (is_fit) {
    judge_fit(claim, needed, finding);
  } else {
    judge_bytes(claim, needed, finding);
  }
  return finding;
}

std::vector<Finding> judge_claim(const Json& claim, const std::vector<MeasuredCase>& cases,
                                 const std::vector<MemoryLine>& lines, const Report& report,
                                 const Evidence& evidence) {
  const std::vector<MeasuredCase> one_setting = of_one_setting(cases);
  const auto kind = claim.at("kind").get<std::string>();
  if (kind == "ratio") {
    return judge_ratio_claim(claim, cases);
  }
  if (kind == "count") {
    return {judge_count(claim, evidence.model)};
  }
  if (kind == "training" || kind == "metric") {
    return {judge_training(claim, evidence.training)};
  }
  if (kind == "tricks") {
    return {judge_tricks(claim, evidence.tricks)};
  }
  if (kind == "times") {
    return {judge_times(claim)};
  }
  if (kind == "untested") {
    return {judge_untested(claim)};
  }
  std::vector<Finding> findings;
  for (const Json& name : claim.at("backends")) {
    const auto backend = name.get<std::string>();
    findings.push_back(kind == "seconds"    ? judge_seconds(claim, backend, cases, report)
                       : kind == "hours"    ? judge_hours(claim, backend, cases)
                       : kind == "settings" ? judge_settings(claim, backend, cases)
                       : kind == "plan"     ? judge_plan(claim, backend, one_setting, lines)
                       : kind == "share"
                           ? judge_share(claim, backend, one_setting, lines, evidence.model)
                           : judge_memory(claim, backend, one_setting, lines));
  }
  return findings;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds:
      return "holds";
    case Verdict::less:
      return "less";
    case Verdict::more:
      return "more";
    case Verdict::does_not_hold:
      return "does not hold";
    case Verdict::open:
      return "open";
    case Verdict::not_tested:
      return "not tested";
  }
  return "";
}

Verdict judge_value(const Interval& measured, double value, double tolerance) {
  if (measured.low >= value * (1 - tolerance) && measured.high <= value * (1 + tolerance)) {
    return Verdict::holds;
  }
  if (measured.high < value * (1 - tolerance)) {
    return Verdict::less;
  }
  return measured.low > value * (1 + tolerance) ? Verdict::more : Verdict::open;
}

Verdict judge_ratio(const Interval& measured, double value, double tolerance) {
  return measured.high <= 1 ? Verdict::does_not_hold : judge_value(measured, value, tolerance);
}

std::string verdict_word(const Finding& finding) {
  const bool is_amount = finding.verdict == Verdict::less || finding.verdict == Verdict::more;
  return std::string(
      to_string(is_amount && finding.kind != "ratio" ? Verdict::does_not_hold : finding.verdict));
}

Json to_json(std::span<const Finding> findings) {
  Json json = Json::array();
  for (const Finding& finding : findings) {
    json.push_back({{"claim", finding.claim},
                    {"place", finding.derived ? Json() : Json(finding.place)},
                    {"sentence", finding.sentence},
                    {"paper", finding.paper},
                    {"here", finding.here},
                    {"verdict", finding.derived ? Json() : Json(verdict_word(finding))},
                    {"remark", finding.remark},
                    {"decides", finding.decides && !finding.derived},
                    {"derived", finding.derived}});
  }
  return json;
}

Claims claims_from_json(const Json& json, const std::string& name) {
  JsonSchema(claims_schema_text()).check(json, name);
  return {json.at("source").get<std::string>(), json.at("question").get<std::string>(),
          json.at("claims"), json.at("factors"), json.at("generations")};
}

Claims whitepaper_claims() {
  return claims_from_json(parse_json(whitepaper_claims_text(), "whitepaper.json"),
                          "whitepaper.json");
}

Json question_of(const Claims& claims) {
  const auto is_question = [&](const Json& claim) { return claim.at("id") == claims.question; };
  const auto found = std::ranges::find_if(claims.claims, is_question);
  if (found == claims.claims.end()) {
    throw_internal("{}: no claim {}", claims.source, claims.question);
  }
  return *found;
}

std::string ServerStep::text() const { return fmt::format("{} b{}", to_string(image), batch); }

std::string ServerStep::server_text() const {
  constexpr double kTerabyte = 1e12, kGigabyte = 1e9;
  return server_bytes >= kTerabyte ? fmt::format("{:g} TB", server_bytes / kTerabyte)
                                   : fmt::format("{:g} GB", server_bytes / kGigabyte);
}

std::vector<ServerStep> table_2(const Claims& claims) {
  std::vector<ServerStep> rows;
  for (const Json& claim : claims.claims) {
    if (claim.value("of_table_2", false)) {
      const Json& image = claim.at("image");
      rows.push_back({{image.at(0), image.at(1), image.at(2)},
                      claim.at("batch"),
                      claim.at("server_bytes"),
                      claim.at("fits")});
    }
  }
  return rows;
}

std::vector<Finding> judge(const Claims& claims, const Report& report, const Evidence& evidence) {
  const std::vector<MeasuredCase> cases = papers_cases(report);
  const std::vector<MemoryLine> lines = memory_lines(report);
  std::vector<Finding> findings;
  for (const Json& claim : claims.claims) {
    for (Finding& finding : judge_claim(claim, cases, lines, report, evidence)) {
      finding.question = finding.claim == claims.question;
      findings.push_back(std::move(finding));
    }
  }
  return findings;
}

ExitCode exit_code(std::span<const Finding> findings) {
  Verdict answer = Verdict::not_tested;
  for (const Finding& finding : findings) {
    const bool is_asked = finding.question && finding.decides;
    if (finding.verdict == Verdict::does_not_hold && (is_asked || finding.kind == "count")) {
      return ExitCode::answer_is_no;
    }
    if (is_asked) {
      answer = finding.verdict;
    }
  }
  return answer == Verdict::not_tested ? ExitCode::not_comparable
         : answer == Verdict::open     ? ExitCode::inconclusive
                                       : ExitCode::done;
}

}  // namespace voxmark
