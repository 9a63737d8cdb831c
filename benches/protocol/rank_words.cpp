#include "benches/protocol/rank_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <regex>
#include <utility>

namespace voxmark {
namespace {

constexpr std::string_view kOurs = "voxmark: ";
constexpr std::pair<std::string_view, RankWord> kWords[] = {
    {"is process", RankWord::is_process},
    {"waits for the others", RankWord::waits},
    {"computes", RankWord::computes},
    {"failed", RankWord::failed}};
constexpr std::pair<std::string_view, RankFailure> kFailures[] = {
    {"internal", RankFailure::internal},
    {"bad_input", RankFailure::bad_input},
    {"out_of_memory", RankFailure::out_of_memory},
    {"cannot_here", RankFailure::cannot_here}};

template <class Enum, std::size_t N>
std::string_view text_of(const std::pair<std::string_view, Enum> (&names)[N], Enum value) {
  return std::ranges::find(names, value, &std::pair<std::string_view, Enum>::second)->first;
}

template <class Enum, std::size_t N>
std::optional<Enum> value_of(const std::pair<std::string_view, Enum> (&names)[N],
                             std::string_view text) {
  const auto* entry = std::ranges::find(names, text, &std::pair<std::string_view, Enum>::first);
  return entry == std::end(names) ? std::nullopt : std::optional(entry->second);
}

std::optional<int> number(const std::string& digits) {
  int value = 0;
  const char* end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, value);
  return read.ec == std::errc() && read.ptr == end ? std::optional(value) : std::nullopt;
}

// `text`: a line from kOurs on.
std::optional<RankLine> rank_line(std::string_view text) {
  static const std::regex kLine(
      R"(voxmark: (?:rank (\d+)|a rank) on (\S+): (is process|waits for the others|computes|failed))"
      R"((?: (\d+)| \((\w+)\): )?)");
  std::match_results<std::string_view::const_iterator> match;
  if (!std::regex_search(text.begin(), text.end(), match, kLine,
                         std::regex_constants::match_continuous)) {
    return std::nullopt;
  }
  RankLine line;
  line.rank = number(match[1]);
  line.host = match[2];
  line.word = value_of(kWords, match[3].str()).value();
  line.process = number(match[4]).value_or(0);
  line.failure = value_of(kFailures, match[5].str()).value_or(RankFailure::internal);
  if (line.word == RankWord::failed) {
    line.message = text.substr(static_cast<std::size_t>(match.length()));
  }
  return line;
}

}  // namespace

std::string to_text(const RankLine& line) {
  std::string text = fmt::format("{}{} on {}: {}", kOurs,
                                 line.rank ? fmt::format("rank {}", *line.rank) : "a rank",
                                 line.host, text_of(kWords, line.word));
  if (line.word == RankWord::is_process) {
    text += fmt::format(" {}", line.process);
  }
  if (line.word == RankWord::failed) {
    text += fmt::format(" ({}): {}", text_of(kFailures, line.failure), line.message);
    std::ranges::replace(text, '\n', ' ');
  }
  return text + "\n";
}

std::vector<RankLine> rank_lines(std::string_view text) {
  std::vector<RankLine> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    // Launchers may put words of their own before ours.
    const std::size_t start = line.find(kOurs);
    if (start == std::string_view::npos) {
      continue;
    }
    if (auto found = rank_line(line.substr(start))) {
      lines.push_back(std::move(*found));
    }
  }
  return lines;
}

}  // namespace voxmark
