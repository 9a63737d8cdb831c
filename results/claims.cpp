#include "results/claims.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.h"
#include "base/json_schema.h"
#include "results/case_table.h"
#include "results/claims_data.h"

namespace voxmark {
namespace {

// ---- Cases of a report ----

// The processes of one case.
struct MeasuredCase {
  Json spec = Json::object();
  std::vector<const Record*> processes;

  std::string backend() const { return spec.at("backend").get<std::string>(); }
  std::string precision() const { return spec.at("precision").get<std::string>(); }
  std::string isa() const { return spec.value("isa", ""); }
  double voxels() const {
    const auto image = spec.at("image").get<std::vector<double>>();
    return image.at(0) * image.at(1) * image.at(2) * spec.at("batch").get<double>();
  }
  std::string shape() const {
    const auto image = spec.at("image").get<std::vector<std::int64_t>>();
    return fmt::format("{} b{}", fmt::join(image, "x"), spec.at("batch").get<std::int64_t>());
  }
  // All but the backend and how long it ran: equal for cases whose times compare.
  Json workload() const {
    Json json = spec;
    for (const char* key : {"backend", "steps", "warmup", "memory_limit_bytes"}) {
      json.erase(key);
    }
    return json;
  }
  const Record* first_ok() const {
    const auto found = std::find_if(processes.begin(), processes.end(), [](const Record* record) {
      return record->outcome == Outcome::ok;
    });
    return found == processes.end() ? nullptr : *found;
  }
};

// The paper's model: 16 filters, one channel (FLAIR), one class.
bool is_papers_model(const Json& spec) {
  return spec.at("filters") == 16 && spec.at("input_channels") == 1 && spec.at("classes") == 1;
}

std::vector<MeasuredCase> cases_of(const Report& report) {
  std::vector<MeasuredCase> cases;
  for (const Record& record : report.records) {
    if (!is_papers_model(record.spec)) {
      continue;
    }
    Json spec = record.spec;
    spec.erase("process");
    auto found = std::find_if(cases.begin(), cases.end(),
                              [&](const MeasuredCase& own) { return own.spec == spec; });
    if (found == cases.end()) {
      found = cases.insert(cases.end(), MeasuredCase{spec, {}});
    }
    found->processes.push_back(&record);
  }
  return cases;
}

// Why there is no figure of a backend.
std::string why_not(const std::vector<MeasuredCase>& cases, const std::string& backend,
                    const std::string& isa = "") {
  for (const MeasuredCase& own : cases) {
    if (own.backend() == backend && own.isa() == isa && own.first_ok() == nullptr) {
      const Record& record = *own.processes.front();
      return fmt::format("{}: {}: {}", backend, to_string(record.outcome),
                         record.reason.value_or("no reason given"));
    }
  }
  return backend + " was not run" + (isa.empty() ? "" : " with " + isa);
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
  if (!user.is_number() || !system.is_number()) {
    return std::nullopt;
  }
  return user.get<double>() + (clock == "cpu" ? system.get<double>() : 0.0);
}

// ---- Texts ----

std::string interval_text(const Interval& interval, const char* unit) {
  return fmt::format("{:.2f}{} ({:.2f}..{:.2f})", interval.middle, unit, interval.low,
                     interval.high);
}

std::string gigabytes(double bytes) { return significant(bytes * 1e-9, 3) + " GB"; }

std::string gigabytes(const Interval& bytes) {
  return bytes.low == bytes.high
             ? gigabytes(bytes.middle)
             : fmt::format("{} ({}..{})", gigabytes(bytes.middle), significant(bytes.low * 1e-9, 3),
                           significant(bytes.high * 1e-9, 3));
}

// ---- Claims by kind ----

std::optional<Interval> ratio_of(const MeasuredCase& baseline, const MeasuredCase& contender,
                                 const std::string& clock, const std::string& span) {
  const auto slow = seconds_of(baseline.processes, clock, span);
  const auto fast = seconds_of(contender.processes, clock, span);
  if (!slow || !fast || !(fast->minimum > 0)) {
    return std::nullopt;
  }
  return Interval{slow->median / fast->median, slow->minimum / fast->maximum,
                  slow->maximum / fast->minimum};
}

Finding start_finding(const Json& claim) {
  Finding finding;
  finding.claim = claim.at("id").get<std::string>();
  finding.sentence = claim.at("sentence").get<std::string>();
  finding.here = "-";
  return finding;
}

// In ascending size: the last one decides.
void let_the_largest_decide(std::vector<Finding>& findings) {
  for (std::size_t i = 0; i + 1 < findings.size(); ++i) {
    findings[i].decides = false;
  }
}

double largest_voxels(const std::vector<MeasuredCase>& cases) {
  double largest = 0;
  for (const MeasuredCase& own : cases) {
    largest = std::max(largest, own.voxels());
  }
  return largest;
}

// In fp32, as the paper trained, in ascending size. `isa` "": what the CPU has.
std::vector<MeasuredCase> of_backend(std::vector<MeasuredCase> cases, const std::string& backend,
                                     const std::string& isa = "") {
  std::erase_if(cases, [&](const MeasuredCase& own) {
    return own.backend() != backend || own.precision() != "fp32" || own.isa() != isa ||
           own.first_ok() == nullptr;
  });
  std::stable_sort(cases.begin(), cases.end(), [](const MeasuredCase& a, const MeasuredCase& b) {
    return a.voxels() < b.voxels();
  });
  return cases;
}

std::vector<Finding> judge_ratio_claim(const Json& claim, const std::vector<MeasuredCase>& cases) {
  const auto baseline = claim.at("baseline").get<std::string>();
  const auto contender = claim.at("contender").get<std::string>();
  const auto clock = claim.at("clock").get<std::string>();
  const auto span = claim.at("span").get<std::string>();
  const auto isa = claim.value("isa", std::string());
  const double value = claim.at("value").get<double>();
  Finding common = start_finding(claim);
  common.paper = fmt::format("{}x", value);
  common.remark = fmt::format("{} / {}, {} time", baseline, contender, clock);
  std::vector<Finding> findings;
  const auto fast_cases = of_backend(cases, contender, isa);
  for (const MeasuredCase& slow : of_backend(cases, baseline, isa)) {
    for (const MeasuredCase& fast : fast_cases) {
      if (slow.workload() != fast.workload()) {
        continue;
      }
      if (const auto ratio = ratio_of(slow, fast, clock, span)) {
        Finding finding = common;
        finding.here = fmt::format("{} at {}", interval_text(*ratio, "x"), slow.shape());
        finding.verdict = judge_ratio(*ratio, value, claim.at("tolerance").get<double>());
        findings.push_back(finding);
      }
    }
  }
  if (findings.empty()) {
    const bool slow_missing = of_backend(cases, baseline, isa).empty();
    common.remark = why_not(cases, slow_missing ? baseline : contender, isa);
    return {common};
  }
  let_the_largest_decide(findings);
  return findings;
}

// Another machine's seconds: what can be said is which share of its limit each reached.
Finding judge_seconds(const Json& claim, const std::vector<MeasuredCase>& cases,
                      const Report& report) {
  Finding finding = start_finding(claim);
  const double value = claim.at("value").get<double>();
  finding.paper = fmt::format("{} s per image", value);
  const auto backend = claim.at("backend").get<std::string>();
  const auto own = of_backend(cases, backend);
  if (own.empty()) {
    finding.remark = why_not(cases, backend);
    return finding;
  }
  const MeasuredCase& largest = own.back();
  const auto seconds = seconds_of(largest.processes, "wall", claim.at("span").get<std::string>());
  const std::optional<std::int64_t> flops = largest.first_ok()->flops_per_step;
  if (!seconds || !flops) {
    finding.remark = "the records have no seconds or no FLOP count";
    return finding;
  }
  const double batch = largest.spec.at("batch").get<double>();
  const auto image = claim.at("image").get<std::vector<double>>();
  // Nominal work is proportional to voxels.
  const double paper_flops =
      static_cast<double>(*flops) / largest.voxels() * image.at(0) * image.at(1) * image.at(2);
  const double paper_rate = paper_flops / value;
  const double rate = static_cast<double>(*flops) / seconds->median;
  finding.here =
      fmt::format("{} s per image at {}", significant(seconds->median / batch, 3), largest.shape());
  finding.remark = fmt::format(
      "another CPU's seconds; the paper's server reached {} GFLOP/s, {}% of its peak ({}); here {} "
      "reaches {} GFLOP/s",
      significant(paper_rate * 1e-9, 3),
      significant(100 * paper_rate / claim.at("server_flops_per_second").get<double>(), 2),
      claim.at("server").get<std::string>(), backend, significant(rate * 1e-9, 3));
  const Json& machine = report.header.limits.value("machine", Json());
  const Json& limit = machine.is_object() ? machine.value("fp32_flops_per_second", Json()) : Json();
  if (limit.is_number() && limit.get<double>() > 0) {
    finding.remark += fmt::format(", {}% of what this machine does in fp32",
                                  significant(100 * rate / limit.get<double>(), 2));
  } else {
    finding.remark += " (this machine's limit was not measured)";
  }
  return finding;
}

Finding judge_count(const Json& claim, const Json& model) {
  Finding finding = start_finding(claim);
  const auto expected = claim.at("value").get<std::int64_t>();
  const auto found = model.at(claim.at("quantity").get<std::string>()).get<std::int64_t>();
  finding.paper = std::to_string(expected);
  finding.here = std::to_string(found);
  finding.verdict = found == expected ? Verdict::reproduced : Verdict::refuted;
  return finding;
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

// Measured over planned: the plan and what was resident before, against the high-water mark.
std::vector<Finding> judge_plan(const Json& claim, const std::vector<MeasuredCase>& cases) {
  std::vector<Finding> findings;
  for (const Json& name : claim.at("backends")) {
    const auto backend = name.get<std::string>();
    Finding finding = start_finding(claim);
    finding.paper = "measured = calculated";
    std::vector<double> ratios;
    std::string shapes;
    for (const MeasuredCase& own : of_backend(cases, backend)) {
      for (const Record* record : own.processes) {
        const MemoryRecord& memory = record->memory;
        if (memory.planned_bytes && memory.base_bytes && memory.peak_bytes) {
          ratios.push_back(static_cast<double>(*memory.peak_bytes) /
                           static_cast<double>(*memory.planned_bytes + *memory.base_bytes));
        }
      }
      shapes += (shapes.empty() ? "" : ", ") + own.shape();
    }
    if (ratios.empty()) {
      finding.remark = why_not(cases, backend);
    } else {
      const Spread spread = spread_of(ratios);
      const Interval interval{spread.median, spread.minimum, spread.maximum};
      finding.here = interval_text(interval, "");
      finding.verdict = judge_value(interval, claim.at("value").get<double>(),
                                    claim.at("tolerance").get<double>());
      finding.remark = fmt::format("{}: peak over plan and base, at {}", backend, shapes);
    }
    findings.push_back(finding);
  }
  return findings;
}

const MemoryLine* line_of(const std::vector<MemoryLine>& lines, const std::string& backend) {
  const auto found = std::find_if(lines.begin(), lines.end(), [&](const MemoryLine& line) {
    return line.backend == backend && line.precision == "fp32";
  });
  return found == lines.end() ? nullptr : &*found;
}

Finding judge_fit(const Json& claim, const MemoryLine& line, const Interval& needed) {
  Finding finding = start_finding(claim);
  const double server = claim.at("server_bytes").get<double>();
  const bool claimed = claim.at("fits").get<bool>();
  finding.paper = claimed ? "fits" : "does not fit";
  finding.here = fmt::format("{}: {}", line.backend, gigabytes(needed));
  if (needed.low <= server && needed.high >= server) {
    finding.verdict = Verdict::inconclusive;
  } else {
    const bool fits = needed.high < server;
    finding.verdict = fits == claimed ? Verdict::reproduced
                      : fits          ? Verdict::lower
                                      : Verdict::higher;
    finding.here += fits ? ", fits" : ", does not fit";
  }
  return finding;
}

Finding judge_bytes(const Json& claim, const MemoryLine& line, const Interval& needed) {
  Finding finding = start_finding(claim);
  const double value = claim.at("value").get<double>();
  finding.paper = gigabytes(value);
  finding.here = fmt::format("{}: {}", line.backend, gigabytes(needed));
  finding.verdict = judge_value(needed, value, claim.at("tolerance").get<double>());
  return finding;
}

std::vector<Finding> judge_memory(const Json& claim, const std::vector<MeasuredCase>& cases,
                                  const std::vector<MemoryLine>& lines) {
  const auto image = claim.at("image").get<std::vector<double>>();
  const double voxels = image.at(0) * image.at(1) * image.at(2) * claim.at("batch").get<double>();
  std::vector<Finding> findings;
  for (const Json& name : claim.at("backends")) {
    const auto backend = name.get<std::string>();
    const MemoryLine* line = line_of(lines, backend);
    if (line == nullptr) {
      Finding finding = start_finding(claim);
      const bool ran = !of_backend(cases, backend).empty();
      finding.remark =
          ran ? backend + ": measured at one size; a line needs two" : why_not(cases, backend);
      findings.push_back(finding);
      continue;
    }
    const Interval needed = line->bytes_at(voxels);
    findings.push_back(claim.at("kind") == "fit" ? judge_fit(claim, *line, needed)
                                                 : judge_bytes(claim, *line, needed));
    findings.back().remark =
        fmt::format("a line through {} sizes, the largest {}% of this batch", line->sizes,
                    significant(100 * largest_voxels(of_backend(cases, backend)) / voxels, 2));
  }
  return findings;
}

// Student's t, two-sided 95%, by degrees of freedom from 1.
double student_t(int degrees) {
  constexpr std::array<double, 10> kTable = {12.706, 4.303, 3.182, 2.776, 2.571,
                                             2.447,  2.365, 2.306, 2.262, 2.228};
  constexpr double kNormal = 1.96;
  return degrees <= 10 ? kTable.at(static_cast<std::size_t>(degrees - 1)) : kNormal * 1.1;
}

MemoryLine fit_line(const std::vector<double>& x, const std::vector<double>& y) {
  const double n = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xx = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  MemoryLine line;
  const double slope = xy / xx;
  line.base_bytes = mean_y - slope * mean_x;
  double residuals = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double residual = y[i] - line.base_bytes - slope * x[i];
    residuals += residual * residual;
  }
  const int degrees = static_cast<int>(x.size()) - 2;
  const double margin =
      degrees > 0 ? student_t(degrees) * std::sqrt(residuals / degrees / xx) : 0.0;
  line.bytes_per_voxel = {slope, slope - margin, slope + margin};
  line.sizes = static_cast<int>(x.size());
  return line;
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

Verdict judge_ratio(const Interval& measured, double value, double tolerance) {
  if (measured.high <= 1) {
    return Verdict::refuted;
  }
  return judge_value(measured, value, tolerance);
}

Claims claims_from_json(const Json& json, const std::string& name) {
  JsonSchema(claims_schema_text()).check(json, name);
  return {json.at("source").get<std::string>(), json.at("claims"), json.at("factors")};
}

Claims whitepaper_claims() {
  return claims_from_json(parse_json(std::string(whitepaper_claims_text()), "whitepaper.json"),
                          "whitepaper.json");
}

std::optional<Spread> seconds_of(std::span<const Record* const> processes, const std::string& clock,
                                 const std::string& span) {
  std::vector<std::vector<double>> measured;
  for (const Record* record : processes) {
    std::vector<double> seconds;
    for (const SampleRecord& sample : record->samples) {
      const auto value = sample_seconds(sample, clock, span);
      if (!sample.warmup && value && record->outcome == Outcome::ok) {
        seconds.push_back(*value);
      }
    }
    if (!seconds.empty()) {
      measured.push_back(std::move(seconds));
    }
  }
  if (measured.empty()) {
    return std::nullopt;
  }
  if (measured.size() == 1) {
    return spread_of(measured.front());
  }
  std::vector<double> medians;
  medians.reserve(measured.size());
  for (const std::vector<double>& seconds : measured) {
    medians.push_back(spread_of(seconds).median);
  }
  return spread_of(std::move(medians));
}

Interval MemoryLine::bytes_at(double voxels) const {
  return {base_bytes + bytes_per_voxel.middle * voxels, base_bytes + bytes_per_voxel.low * voxels,
          base_bytes + bytes_per_voxel.high * voxels};
}

std::vector<MemoryLine> memory_lines(const Report& report) {
  struct Points {
    std::vector<double> voxels, bytes;
  };
  std::vector<std::pair<std::string, std::string>> order;  // backend, precision
  std::map<std::pair<std::string, std::string>, Points> points;
  for (const MeasuredCase& own : cases_of(report)) {
    std::vector<double> peaks;
    for (const Record* record : own.processes) {
      if (record->outcome == Outcome::ok && record->memory.peak_bytes) {
        peaks.push_back(static_cast<double>(*record->memory.peak_bytes));
      }
    }
    if (peaks.empty() || !own.isa().empty()) {
      continue;
    }
    const std::pair key(own.backend(), own.precision());
    if (!points.contains(key)) {
      order.push_back(key);
    }
    points[key].voxels.push_back(own.voxels());
    points[key].bytes.push_back(*std::max_element(peaks.begin(), peaks.end()));
  }
  std::vector<MemoryLine> lines;
  for (const auto& key : order) {
    const Points& own = points.at(key);
    const auto [least, most] = std::minmax_element(own.voxels.begin(), own.voxels.end());
    if (*least < *most) {
      lines.push_back(fit_line(own.voxels, own.bytes));
      lines.back().backend = key.first;
      lines.back().precision = key.second;
    }
  }
  return lines;
}

std::vector<Finding> judge(const Claims& claims, const Report& report, const Json& model) {
  const std::vector<MeasuredCase> cases = cases_of(report);
  const std::vector<MemoryLine> lines = memory_lines(report);
  std::vector<Finding> findings;
  for (const Json& claim : claims.claims) {
    const auto kind = claim.at("kind").get<std::string>();
    std::vector<Finding> own;
    if (kind == "ratio") {
      own = judge_ratio_claim(claim, cases);
    } else if (kind == "seconds") {
      own = {judge_seconds(claim, cases, report)};
    } else if (kind == "count") {
      own = {judge_count(claim, model)};
    } else if (kind == "plan") {
      own = judge_plan(claim, cases);
    } else if (kind == "fit" || kind == "bytes") {
      own = judge_memory(claim, cases, lines);
    } else {
      Finding finding = start_finding(claim);
      finding.remark = "not tested: " + claim.at("reason").get<std::string>();
      own = {finding};
    }
    findings.insert(findings.end(), own.begin(), own.end());
  }
  return findings;
}

ExitCode exit_code(std::span<const Finding> findings) {
  const auto any = [&](Verdict verdict) {
    return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
      return finding.decides && finding.verdict == verdict;
    });
  };
  if (any(Verdict::refuted)) {
    return ExitCode::answer_is_no;
  }
  if (any(Verdict::inconclusive)) {
    return ExitCode::inconclusive;
  }
  return any(Verdict::reproduced) || any(Verdict::lower) || any(Verdict::higher)
             ? ExitCode::done
             : ExitCode::not_comparable;
}

Table findings_table(std::span<const Finding> findings) {
  Table table;
  table.columns = {{"the paper says", Align::left},
                   {"paper", Align::left},
                   {"here", Align::left},
                   {"verdict", Align::left},
                   {"remark", Align::left}};
  std::string last;
  for (const Finding& finding : findings) {
    const bool again = finding.claim == last;
    last = finding.claim;
    table.rows.push_back({again ? "" : finding.sentence, again ? "" : finding.paper, finding.here,
                          std::string(to_string(finding.verdict)), finding.remark});
  }
  return table;
}

Table factors_table(const Claims& claims, const Report& report) {
  Table table;
  table.columns = {{"from", Align::left},
                   {"to", Align::left},
                   {"times as fast", Align::left},
                   {"what that is", Align::left}};
  const std::vector<MeasuredCase> cases = cases_of(report);
  for (const Json& factor : claims.factors) {
    const auto from = factor.at("from").get<std::string>();
    const auto to = factor.at("to").get<std::string>();
    std::string text = "-";
    const auto fast_cases = of_backend(cases, to);
    for (const MeasuredCase& slow : of_backend(cases, from)) {
      for (const MeasuredCase& fast : fast_cases) {
        const auto ratio = slow.workload() == fast.workload()
                               ? ratio_of(slow, fast, "wall", "forward_backward")
                               : std::nullopt;
        if (ratio) {
          text = fmt::format("{} at {}", interval_text(*ratio, "x"), slow.shape());
        }
      }
    }
    table.rows.push_back({from, to, text, factor.at("meaning").get<std::string>()});
  }
  return table;
}

Table memory_table(std::span<const MemoryLine> lines) {
  constexpr double kVoxels128b16 = 128.0 * 128 * 128 * 16;
  constexpr double kVoxels144b8 = 144.0 * 144 * 144 * 8;
  constexpr double kVoxels240b16 = 240.0 * 240 * 144 * 16;
  Table table;
  table.columns = {{"backend", Align::left},
                   {"precision", Align::left},
                   {"bytes per voxel", Align::right},
                   {"128x128x128 b16 on 192 GB", Align::left},
                   {"144x144x144 b8 on 384 GB", Align::left},
                   {"240x240x144 b16 on 1.5 TB", Align::left}};
  const auto outcome = [](const Interval& needed, double server) {
    const char* word = needed.high < server ? "fits" : needed.low > server ? "does not fit" : "?";
    return fmt::format("{}: {}", gigabytes(needed.middle), word);
  };
  for (const MemoryLine& line : lines) {
    const Interval& slope = line.bytes_per_voxel;
    const std::string range = line.sizes < 3 ? std::string(" (two sizes)")
                                             : fmt::format(" ({}..{})", significant(slope.low, 3),
                                                           significant(slope.high, 3));
    table.rows.push_back({line.backend, line.precision, significant(slope.middle, 3) + range,
                          outcome(line.bytes_at(kVoxels128b16), 192e9),
                          outcome(line.bytes_at(kVoxels144b8), 384e9),
                          outcome(line.bytes_at(kVoxels240b16), 1.5e12)});
  }
  return table;
}

Table cost_table(const Report& report) {
  Table table;
  table.columns = {{"backend", Align::left},         {"shape", Align::left},
                   {"precision", Align::left},       {"step s", Align::right},
                   {"user s", Align::right},         {"system s", Align::right},
                   {"faults per step", Align::right}};
  for (const MeasuredCase& own : cases_of(report)) {
    const auto wall = seconds_of(own.processes, "wall", "step");
    const auto user = seconds_of(own.processes, "user", "step");
    const auto cpu = seconds_of(own.processes, "cpu", "step");
    std::vector<double> faults;
    for (const Record* record : own.processes) {
      for (const SampleRecord& sample : record->samples) {
        const Json& count = sample.readings.value("minor_faults", Json());
        if (!sample.warmup && count.is_number() && record->outcome == Outcome::ok) {
          faults.push_back(count.get<double>());
        }
      }
    }
    if (!wall || !user || !cpu || faults.empty()) {
      continue;
    }
    table.rows.push_back({own.backend(), own.shape(), own.precision(), significant(wall->median, 3),
                          significant(user->median, 3),
                          significant(std::max(0.0, cpu->median - user->median), 3),
                          fmt::format("{:.0f}", spread_of(faults).median)});
  }
  return table;
}

}  // namespace voxmark
