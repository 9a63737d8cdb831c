#include "results/claims/answer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/number_text.h"
#include "results/claims/judgements.h"
#include "results/tables/measured_cases.h"

namespace voxmark {
namespace {

constexpr std::size_t kColumns = 100;

// The answer of the claim that a reader asks about first: judge() always has one.
const Finding& asked_of(std::span<const Finding> findings) {
  return *std::ranges::find_if(
      findings, [](const Finding& finding) { return finding.question && finding.decides; });
}

// Which of a claim's findings its row has: that of the program that the paper trained with, where
// there is one; failing that its baseline, then another backend; a verdict before none.
std::tuple<int, int> evidence_rank(const Finding& finding, const Json& question) {
  const int verdict = finding.verdict == Verdict::open         ? 2
                      : finding.verdict != Verdict::not_tested ? 3
                      : finding.here != kNoFigure              ? 1
                                                               : 0;
  const int program = verdict == 0                                                     ? 0
                      : finding.backend == question.at("contender").get<std::string>() ? 3
                      : finding.backend == question.at("baseline").get<std::string>()  ? 2
                                                                                       : 1;
  return {program, verdict};
}

ClaimRow row_of(const Finding& finding) {
  ClaimRow row{finding.claim, finding.title, finding.place, finding.paper, finding.here, ""};
  row.verdict = verdict_word(finding);
  if (finding.here == kNoFigure) {
    row.here = "because: " + finding.remark;
  } else if (finding.verdict == Verdict::not_tested && !finding.remark.empty()) {
    row.here += "; " + finding.remark.substr(0, finding.remark.find(';'));
  }
  return row;
}

bool is_beyond_budget(const Record& record) {
  return record.outcome == Outcome::skipped && record.facts.beyond_budget.value_or(false);
}

// The command that goes on from the report, with more time than it had.
std::string command_with_more_time(const Report& report) {
  constexpr double kQuickSeconds = 1800, kFullSeconds = 10800;
  const RunFacts& facts = report.header.facts;
  const bool is_quick = facts.reproduce == "quick";
  const double budget =
      std::max(2 * facts.budget_seconds.value_or(0), is_quick ? kQuickSeconds : kFullSeconds);
  const std::string kind = is_quick                     ? " --quick"
                           : facts.reproduce == "suite" ? " --suite FILE"
                                                        : "";
  return fmt::format("voxmark reproduce{} --budget {:.0f}", kind, budget);
}

std::string speed_up_line(const Finding& asked) {
  return asked.here == kNoFigure
             ? "Speed-up here: not measured."
             : fmt::format(
                   "Speed-up here: {}: TensorFlow on oneDNN against stock TensorFlow, "
                   "forward and backward.",
                   asked.here);
}

std::string verdict_line(const Finding& asked, const Json& question) {
  const double value = question.at("value").get<double>();
  const double tolerance = question.at("tolerance").get<double>();
  const std::string low = fmt::format("{:.2f}x", value * (1 - tolerance));
  const std::string high = fmt::format("{:.2f}x", value * (1 + tolerance));
  const std::string bounds = fmt::format("({}, {:.0f}%)", asked.paper, 100 * tolerance);
  switch (asked.verdict) {
    case Verdict::holds:
      return fmt::format("The paper's {} holds: the whole range lies between {} and {} {}.",
                         asked.paper, low, high, bounds);
    case Verdict::more:
      return fmt::format("More than the paper's {}: the whole range lies above {} {}.", asked.paper,
                         high, bounds);
    case Verdict::less:
      return fmt::format("Less than the paper's {}: the whole range lies below {} {}.", asked.paper,
                         low, bounds);
    case Verdict::does_not_hold:
      return fmt::format("The paper's {} does not hold: oneDNN is no faster.", asked.paper);
    case Verdict::open:
      return fmt::format("The paper's {}: open. It holds from {} to {} {}.", asked.paper, low, high,
                         bounds);
    case Verdict::not_tested:
      break;
  }
  return fmt::format("The paper's {}: not tested: {}.", asked.paper, asked.remark);
}

// What would settle an open range: the processes that were left out, else other sizes, else more.
std::string settling_command(const Report& report) {
  if (std::ranges::any_of(report.records, is_beyond_budget)) {
    return command_with_more_time(report);
  }
  return report.header.facts.reproduce == "quick"
             ? "voxmark reproduce"
             : "voxmark run --backend tensorflow-stock,tensorflow-onednn --image 64 --repeats 10";
}

std::string sure_line(const Finding& asked, const Report& report, const Json& question) {
  if (asked.verdict == Verdict::not_tested) {
    return asked.remark.find("not installed") == std::string::npos
               ? fmt::format("To answer it: {}", settling_command(report))
               : "To answer it: ci/peers tensorflow && voxmark reproduce --quick";
  }
  if (asked.verdict == Verdict::open) {
    const auto disturbed = asked.remark.find("a verdict takes");
    return fmt::format("Not sure yet: {}. To settle it: {}",
                       disturbed == std::string::npos ? "the range reaches beyond these"
                                                      : asked.remark.substr(disturbed),
                       settling_command(report));
  }
  return fmt::format(
      "At this size all pairs of undisturbed processes agree. The paper's step, {} batch {}, is {} "
      "times as large; it had {}. Larger ones: {}",
      fmt::join(question.at("image").get<std::vector<int>>(), "x"), question.at("batch").get<int>(),
      significant(voxels_of(question) / asked.voxels, 2), question.at("setting").get<std::string>(),
      report.header.facts.reproduce == "quick" ? "voxmark reproduce"
                                               : command_with_more_time(report));
}

std::string left_out_of(const Report& report) {
  constexpr std::size_t kMostReasons = 5;
  std::map<std::string, int> by_reason;
  int skipped = 0, late = 0;
  for (const Record& record : report.records) {
    if (record.outcome == Outcome::skipped) {
      ++skipped;
      ++(is_beyond_budget(record) ? late : by_reason[record.reason.value_or("no reason")]);
    }
  }
  std::vector<std::string> parts;
  if (late > 0) {
    parts.push_back(
        fmt::format("{} for lack of time ({} goes on)", late, command_with_more_time(report)));
  }
  int others = 0;
  for (const auto& [reason, runs] : by_reason) {
    if (parts.size() < kMostReasons) {
      parts.push_back(fmt::format("{}: {}", runs, reason));
    } else {
      others += runs;
    }
  }
  if (others > 0) {
    parts.push_back(fmt::format("{} for other reasons", others));
  }
  return skipped == 0 ? ""
                      : fmt::format("Left out, {} of {} runs: {}.", skipped, report.records.size(),
                                    fmt::join(parts, "; "));
}

std::string measured_text(const Report& report) {
  const Json& cpu = report.header.environment.value("cpu", Json::object());
  const Json model = cpu.is_object() ? cpu.value("model_name", Json()) : Json();
  const auto cases = papers_cases(report);
  return fmt::format("Measured {} on {}{}, voxmark {}.", report.header.created,
                     model.is_string() ? model.get<std::string>() : "an unknown CPU",
                     cases.empty() ? "" : fmt::format(", {} threads", cases.front().threads()),
                     report.header.voxmark.value("version", ""));
}

std::string indented(const std::string& text, std::size_t columns) {
  std::string result;
  std::string indent;
  for (const std::string& line : folded(text, columns - 2)) {
    result += indent + line + "\n";
    indent = "  ";
  }
  return result;
}

std::string said_by_the_paper(const ClaimRow& row) {
  return fmt::format("{}{} ({})", row.title, row.paper.empty() ? "" : ": " + row.paper, row.place);
}

std::string row_text(const std::string& verdict, const std::string& paper, const std::string& here,
                     std::size_t columns) {
  constexpr std::size_t kVerdict = 13;
  const std::size_t rest = columns - kVerdict - 4;
  const std::size_t left = rest * 11 / 20;
  const auto said = folded(paper, left), found = folded(here, rest - left);
  std::string text;
  for (std::size_t i = 0; i < std::max(said.size(), found.size()); ++i) {
    std::string line =
        fmt::format("{:{}}  {:{}}  {}", i == 0 ? verdict : "", kVerdict,
                    i < said.size() ? said[i] : "", left, i < found.size() ? found[i] : "");
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace

Answer answer_of(const Claims& claims, const Report& report, std::span<const Finding> findings) {
  Answer answer;
  const Json question = question_of(claims);
  const Finding& asked = asked_of(findings);
  answer.lines = {speed_up_line(asked), verdict_line(asked, question),
                  sure_line(asked, report, question)};
  const Finding* best = nullptr;
  for (const Finding& finding : findings) {
    if (finding.derived || !finding.decides) {
      continue;
    }
    const bool is_first = best == nullptr || best->claim != finding.claim;
    if (is_first || evidence_rank(finding, question) > evidence_rank(*best, question)) {
      if (!is_first) {
        answer.claims.pop_back();
      }
      answer.claims.push_back(row_of(finding));
      best = &finding;
    }
  }
  answer.generations = generations(claims, report);
  answer.left_out = left_out_of(report);
  answer.measured = measured_text(report);
  return answer;
}

Json to_json(const Answer& answer) {
  Json claims = Json::array();
  for (const ClaimRow& row : answer.claims) {
    claims.push_back({{"claim", row.claim},
                      {"title", row.title},
                      {"place", row.place},
                      {"paper", row.paper},
                      {"here", row.here},
                      {"verdict", row.verdict}});
  }
  return {{"lines", answer.lines},
          {"claims", std::move(claims)},
          {"generations", to_json(answer.generations)},
          {"left_out", answer.left_out},
          {"measured", answer.measured}};
}

std::string render_text(const Answer& answer, std::size_t columns) {
  constexpr std::size_t kFewestColumns = 60;
  columns = columns == 0 ? kColumns : std::max(columns, kFewestColumns);
  std::string text;
  for (const std::string& line : answer.lines) {
    text += indented(line, columns);
  }
  text += "\n" + row_text("verdict", "the paper says", "here", columns);
  for (const ClaimRow& row : answer.claims) {
    text += row_text(row.verdict, said_by_the_paper(row), row.here, columns);
  }
  text += "\n";
  if (!answer.left_out.empty()) {
    text += indented(answer.left_out, columns);
  }
  return text + indented(answer.measured, columns);
}

std::string render_markdown(const Answer& answer) {
  Table table{{{"verdict"}, {"the paper says"}, {"its figure"}, {"here"}, {"where"}}, {}};
  for (const ClaimRow& row : answer.claims) {
    table.rows.push_back({row.verdict, row.title, row.paper, row.here, row.place});
  }
  std::string text;
  for (const std::string& line : answer.lines) {
    text += line + "\n\n";
  }
  text += render_markdown(table) + "\n";
  if (!answer.left_out.empty()) {
    text += answer.left_out + "\n\n";
  }
  return text + answer.measured + "\n";
}

}  // namespace voxmark
