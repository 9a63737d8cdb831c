#include "results/claims/answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/number_text.h"
#include "results/claims/memory_line.h"
#include "results/tables/measured_cases.h"

namespace voxmark {
namespace {

constexpr std::size_t kColumns = 100;

const Finding* asked_of(std::span<const Finding> findings) {
  const auto asked = std::ranges::find_if(
      findings, [](const Finding& finding) { return finding.question && finding.decides; });
  return asked == findings.end() ? nullptr : &*asked;
}

std::string word_of(const Finding& finding) {
  const bool is_amount = finding.verdict == Verdict::less || finding.verdict == Verdict::more;
  return std::string(
      to_string(is_amount && !finding.question ? Verdict::does_not_hold : finding.verdict));
}

// How much a finding tells of its claim: one of the paper's pair rather than another backend, a
// verdict rather than none, a figure rather than none.
std::pair<bool, int> tells(const Finding& finding, const Json& question) {
  const int how_much = finding.verdict == Verdict::open         ? 2
                       : finding.verdict != Verdict::not_tested ? 3
                       : finding.here != "-"                    ? 1
                                                                : 0;
  const bool is_of_pair = finding.backend == question.at("baseline").get<std::string>() ||
                          finding.backend == question.at("contender").get<std::string>();
  return {is_of_pair && how_much > 0, how_much};
}

ClaimRow row_of(const Finding& finding) {
  ClaimRow row{finding.claim, finding.title, finding.place, finding.paper, finding.here, ""};
  row.verdict = word_of(finding);
  if (finding.here == "-") {
    row.here = finding.verdict == Verdict::open ? finding.remark : "because: " + finding.remark;
  } else if (finding.verdict == Verdict::not_tested && !finding.remark.empty()) {
    row.here += "; " + finding.remark.substr(0, finding.remark.find(';'));
  }
  return row;
}

// The command that goes on from the report, with more time than it had.
std::string command_with_more_time(const Report& report) {
  constexpr double kFactor = 3;
  const RunFacts& facts = report.header.facts;
  return fmt::format("voxmark reproduce{} --budget {:.0f}",
                     facts.reproduce == "quick" ? " --quick" : "",
                     kFactor * facts.budget_seconds.value_or(600));
}

std::string speed_up_line(const Finding& asked) {
  return asked.here == "-"
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
  const std::string head = fmt::format("The paper's {}: {}", asked.paper, to_string(asked.verdict));
  switch (asked.verdict) {
    case Verdict::holds:
      return fmt::format("{}: the whole range lies within {} and {}.", head, low, high);
    case Verdict::more:
      return fmt::format("{}: the whole range lies above {}, {:.0f}% more.", head, high,
                         100 * tolerance);
    case Verdict::less:
      return fmt::format("{}: the whole range lies below {}, {:.0f}% less.", head, low,
                         100 * tolerance);
    case Verdict::does_not_hold:
      return fmt::format("{}: oneDNN is no faster at all.", head);
    case Verdict::open:
      return fmt::format("{}: it would hold from {} to {}.", head, low, high);
    case Verdict::not_tested:
      break;
  }
  return fmt::format("{}: {}.", head, asked.remark);
}

std::string sure_line(const Finding& asked, const Report& report, const Json& question) {
  const bool was_quick = report.header.facts.reproduce == "quick";
  if (asked.verdict == Verdict::not_tested) {
    return "To answer it: ci/peers tensorflow && voxmark reproduce --quick";
  }
  if (asked.verdict == Verdict::open) {
    return fmt::format("Not sure yet: {}. To settle it: {}", asked.remark,
                       command_with_more_time(report));
  }
  const auto pair = of_backend(papers_cases(report), question.at("contender").get<std::string>());
  const double voxels = pair.empty() ? 0 : pair.back().voxels();
  const Json& image = question.at("image");
  const double papers = image.at(0).get<double>() * image.at(1).get<double>() *
                        image.at(2).get<double>() * question.at("batch").get<double>();
  return fmt::format(
      "Sure at this size: the range holds all pairs of undisturbed processes. The paper's step, "
      "240x240x144 batch 16, is {} times the largest that was measured. Larger ones: {}",
      significant(papers / voxels, 2),
      was_quick ? "voxmark reproduce" : command_with_more_time(report));
}

std::string left_out_of(const Report& report) {
  std::map<std::string, int> by_reason;
  int skipped = 0, late = 0;
  for (const Record& record : report.records) {
    if (record.outcome == Outcome::skipped) {
      ++skipped;
      if (record.facts.beyond_budget.value_or(false)) {
        ++late;
      } else {
        ++by_reason[record.spec.at("backend").get<std::string>() + ": " +
                    record.reason.value_or("skipped")];
      }
    }
  }
  if (skipped == 0) {
    return "";
  }
  std::string text = fmt::format("Left out: {} of {} runs", skipped, report.records.size());
  std::string separator = ": ";
  if (late > 0) {
    text += fmt::format("{}{} for lack of time ({} goes on)", separator, late,
                        command_with_more_time(report));
    separator = "; ";
  }
  constexpr std::size_t kMostReasons = 3;
  if (by_reason.size() > kMostReasons) {
    return text + fmt::format("{}{} for reasons of their own (--details names them).", separator,
                              skipped - late);
  }
  for (const auto& [reason, runs] : by_reason) {
    text += fmt::format("{}{} of {}", separator, runs, reason);
    separator = "; ";
  }
  return text + ".";
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

// Lines of at most `width` characters, broken at blanks.
std::vector<std::string> folded(const std::string& text, std::size_t width) {
  std::vector<std::string> lines = {""};
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find(' ', start), text.size());
    const std::string word = text.substr(start, end - start);
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width) {
      lines.emplace_back();
    }
    lines.back() += (lines.back().empty() ? "" : " ") + word;
    start = end + 1;
  }
  return lines;
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
  if (const Finding* asked = asked_of(findings)) {
    answer.lines = {speed_up_line(*asked), verdict_line(*asked, question),
                    sure_line(*asked, report, question)};
  }
  const Finding* best = nullptr;
  for (const Finding& finding : findings) {
    if (finding.derived || !finding.decides) {
      continue;
    }
    const bool is_first = best == nullptr || best->claim != finding.claim;
    if (is_first || tells(finding, question) > tells(*best, question)) {
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
