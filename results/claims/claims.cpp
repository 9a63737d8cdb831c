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
#include "results/claims/memory_line.h"
#include "results/claims/papers_training.h"
#include "results/tables/case_table.h"

namespace voxmark {
namespace {

Finding start_finding(const Json& claim) {
  Finding finding;
  finding.claim = claim.at("id").get<std::string>();
  finding.sentence = claim.at("sentence").get<std::string>();
  if (claim.contains("place")) {
    finding.sentence += " (" + claim.at("place").get<std::string>() + ")";
  }
  finding.derived = claim.value("derived", false);
  finding.here = "-";
  return finding;
}

double voxels_of(const Json& claim) {
  const auto image = claim.at("image").get<std::vector<double>>();
  return image.at(0) * image.at(1) * image.at(2) * claim.at("batch").get<double>();
}

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
      if (!ratio->remarks.empty()) {
        finding.remark += "; " + ratio->remarks;
      }
      if (!finding.derived && ratio->undisturbed < kFewestProcesses) {
        finding.verdict = Verdict::inconclusive;
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
  Finding finding = start_finding(claim);
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
  finding.here = fmt::format("{}: {} s per image at {}", backend,
                             significant(seconds->median / largest.batch(), 3), largest.shape());
  finding.remark = fmt::format("another CPU's seconds; here {} GFLOP/s of nominal work",
                               significant(rate * 1e-9, 3));
  const double limit = fp32_limit(report, largest.threads());
  finding.remark +=
      limit > 0
          ? fmt::format(", {}% of what {} {} at most{}", significant(100 * rate / limit, 2),
                        largest.threads(), largest.threads() == 1 ? "thread does" : "threads do",
                        // Nominal work is the direct algorithm's.
                        rate > limit ? " by the direct algorithm (Winograd's multiplies less)" : "")
          : " (this machine's limit was not measured)";
  // Nominal work is proportional to voxels.
  const double paper_rate = static_cast<double>(*flops) / largest.voxels() * voxels_of(claim) /
                            claim.at("batch").get<double>() / value;
  finding.paper += fmt::format(
      ", {} GFLOP/s, {}% of that server's peak", significant(paper_rate * 1e-9, 3),
      significant(100 * paper_rate / claim.at("server_flops_per_second").get<double>(), 2));
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
  finding.verdict = found == expected ? Verdict::reproduced : Verdict::refuted;
  finding.remark = "counted, not measured";
  return finding;
}

// Measured over planned: the plan and what was resident before, against the high-water mark.
Finding judge_plan(const Json& claim, const std::string& backend,
                   const std::vector<MeasuredCase>& cases) {
  Finding finding = start_finding(claim);
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
    finding.remark = why_not(cases, backend);
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
    finding.verdict = Verdict::inconclusive;
    return;
  }
  const bool fits = needed.high < server;
  finding.verdict = fits == claimed ? Verdict::reproduced : fits ? Verdict::lower : Verdict::higher;
  finding.here += fits ? ", fits" : ", does not fit";
}

void judge_bytes(const Json& claim, const Interval& needed, Finding& finding) {
  const double value = claim.at("value").get<double>();
  if (claim.value("at_least", false)) {
    finding.verdict = needed.low >= value   ? Verdict::reproduced
                      : needed.high < value ? Verdict::lower
                                            : Verdict::inconclusive;
  } else {
    finding.verdict = judge_value(needed, value, claim.at("tolerance").get<double>());
  }
}

Finding judge_memory(const Json& claim, const std::string& backend,
                     const std::vector<MeasuredCase>& cases, const std::vector<MemoryLine>& lines) {
  const bool is_fit = claim.at("kind") == "fit";
  Finding finding = start_finding(claim);
  finding.paper = is_fit ? (claim.at("fits").get<bool>() ? "fits" : "does not fit")
                         : (claim.value("at_least", false) ? "over " : "") +
                               gigabytes_text(claim.at("value").get<double>());
  const auto own = of_backend(cases, backend);
  const auto line = std::ranges::find_if(lines, [&](const MemoryLine& candidate) {
    return candidate.backend == backend && candidate.precision == "fp32";
  });
  if (line == lines.end()) {
    finding.remark = own.empty() ? why_not(cases, backend)
                                 : backend + ": measured at one size; a line needs two";
    return finding;
  }
  const double voxels = voxels_of(claim);
  const Interval needed = line->bytes_at(voxels);
  finding.here = fmt::format("{}: {}", backend, gigabytes_text(needed));
  finding.remark = fmt::format("a line through {} sizes, the largest {}% of this batch",
                               line->sizes, significant(100 * own.back().voxels() / voxels, 2));
  if (!line->has_interval()) {
    finding.verdict = Verdict::inconclusive;
    finding.remark += ": two sizes leave no interval";
  } else if (is_fit) {
    judge_fit(claim, needed, finding);
  } else {
    judge_bytes(claim, needed, finding);
  }
  return finding;
}

Finding judge_training(const Json& claim, const Json& training) {
  Finding finding = start_finding(claim);
  const double value = claim.at("value").get<double>();
  finding.paper = fmt::format("{}", value);
  if (training.is_null()) {
    finding.remark = "not tested: " + claim.at("reason").get<std::string>();
    return finding;
  }
  if (!training.at("test").is_null()) {
    const Json& mean = training.at("test").at("mean");
    const auto quantity = claim.at("quantity").get<std::string>();
    double found = 0;
    if (quantity == "hard_dice") {
      for (const Json& dice : mean.at(quantity)) {
        found += dice.get<double>() / static_cast<double>(mean.at(quantity).size());
      }
    } else {
      found = mean.at(quantity).get<double>();
    }
    finding.here = fmt::format("{}, of the test split", significant(found, 3));
    finding.verdict =
        judge_value({found, found, found}, value, claim.at("tolerance").get<double>());
  }
  finding.remark = why_not_papers_training(training);
  if (!finding.remark.empty()) {
    finding.verdict = Verdict::not_comparable;
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
  if (kind == "training") {
    return {judge_training(claim, evidence.training)};
  }
  std::vector<Finding> findings;
  for (const Json& name : claim.at("backends")) {
    const auto backend = name.get<std::string>();
    findings.push_back(kind == "seconds" ? judge_seconds(claim, backend, cases, report)
                       : kind == "plan"  ? judge_plan(claim, backend, one_setting)
                                         : judge_memory(claim, backend, one_setting, lines));
  }
  return findings;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::reproduced:
      return "reproduced";
    case Verdict::lower:
      return "lower";
    case Verdict::higher:
      return "higher";
    case Verdict::refuted:
      return "refuted";
    case Verdict::inconclusive:
      return "inconclusive";
    case Verdict::not_comparable:
      return "not comparable";
  }
  return "";
}

Verdict judge_value(const Interval& measured, double value, double tolerance) {
  if (measured.low >= value * (1 - tolerance) && measured.high <= value * (1 + tolerance)) {
    return Verdict::reproduced;
  }
  if (measured.high < value * (1 - tolerance)) {
    return Verdict::lower;
  }
  return measured.low > value * (1 + tolerance) ? Verdict::higher : Verdict::inconclusive;
}

Verdict judge_ratio(const Interval& measured, double value, double tolerance) {
  return measured.high <= 1 ? Verdict::refuted : judge_value(measured, value, tolerance);
}

Json to_json(std::span<const Finding> findings) {
  Json json = Json::array();
  for (const Finding& finding : findings) {
    json.push_back({{"claim", finding.claim},
                    {"sentence", finding.sentence},
                    {"paper", finding.paper},
                    {"here", finding.here},
                    {"verdict", finding.derived ? Json() : Json(to_string(finding.verdict))},
                    {"remark", finding.remark},
                    {"decides", finding.decides && !finding.derived},
                    {"derived", finding.derived}});
  }
  return json;
}

Claims claims_from_json(const Json& json, const std::string& name) {
  JsonSchema(claims_schema_text()).check(json, name);
  return {json.at("source").get<std::string>(), json.at("question").get<std::string>(),
          json.at("claims"), json.at("factors")};
}

Claims whitepaper_claims() {
  return claims_from_json(parse_json(std::string(whitepaper_claims_text()), "whitepaper.json"),
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

std::vector<ServerStep> table_1(const Claims& claims) {
  std::vector<ServerStep> rows;
  for (const Json& claim : claims.claims) {
    if (claim.value("of_table_1", false)) {
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
  Verdict answer = Verdict::not_comparable;
  for (const Finding& finding : findings) {
    if (finding.derived || !finding.decides) {
      continue;
    }
    if (finding.verdict == Verdict::refuted) {
      return ExitCode::answer_is_no;
    }
    if (finding.question) {
      answer = finding.verdict;
    }
  }
  return answer == Verdict::not_comparable ? ExitCode::not_comparable
         : answer == Verdict::inconclusive ? ExitCode::inconclusive
                                           : ExitCode::done;
}

}  // namespace voxmark
