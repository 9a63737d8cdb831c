#include "tools/voxmark/rank_output.h"

#include <fmt/ranges.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <span>
#include <utility>

#include "base/atomic_file.h"

namespace voxmark {
namespace {

constexpr std::string_view kMark = "\x1evoxmark ";  // a control character that nobody prints
constexpr std::array kLetters = {std::pair(RankSays::output, 'o'), std::pair(RankSays::errors, 'e'),
                                 std::pair(RankSays::alive, 'a'), std::pair(RankSays::end, 'x')};

// On one line: "\n" for a newline.
std::string escaped(std::string_view text) {
  std::string line;
  for (const char c : text) {
    line += c == '\n' ? "\\n" : c == '\\' ? "\\\\" : std::string(1, c);
  }
  return line;
}

std::string unescaped(std::string_view line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool is_escape = line[i] == '\\' && i + 1 < line.size();
    text += !is_escape ? line[i] : line[++i] == 'n' ? '\n' : line[i];
  }
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

template <RankSays what>
ssize_t say_piece(void* /*unused*/, const char* text, std::size_t size) {
  say({what, std::string(text, size)});
  return static_cast<ssize_t>(size);
}

template <RankSays what>
std::FILE* stream_that_says(int buffering) {
  std::FILE* stream = fopencookie(nullptr, "w", {nullptr, &say_piece<what>, nullptr, nullptr});
  if (stream == nullptr || std::setvbuf(stream, nullptr, buffering, BUFSIZ) != 0) {
    throw_internal("ranks: no stream for what is printed");
  }
  return stream;
}

}  // namespace

std::string to_line(const RankSaid& said) {
  std::string line(kMark);
  for (const auto& [what, letter] : kLetters) {
    if (what == said.what) {
      line += letter;
    }
  }
  if (said.what == RankSays::end) {
    return line + fmt::format("{} {}", static_cast<int>(said.code),
                              escaped(fmt::format("{}", fmt::join(said.lines, "\n"))));
  }
  return line + escaped(said.text);
}

std::optional<RankSaid> parse_rank_said(std::string_view line) {
  if (!line.starts_with(kMark) || line.size() == kMark.size()) {
    return std::nullopt;
  }
  const char found = line[kMark.size()];
  std::string_view rest = line.substr(kMark.size() + 1);
  for (const auto& [what, letter] : kLetters) {
    if (letter != found) {
      continue;
    }
    if (what != RankSays::end) {
      return RankSaid{what, unescaped(rest)};
    }
    int code = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), code);
    if (error != std::errc() || end == rest.data() + rest.size()) {
      return std::nullopt;
    }
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()) + 1);
    return RankSaid{what, "", static_cast<ExitCode>(code), lines_of(unescaped(rest))};
  }
  return std::nullopt;
}

void say_what_is_printed() {
  std::fflush(nullptr);
  stdout = stream_that_says<RankSays::output>(_IOLBF);
  stderr = stream_that_says<RankSays::errors>(_IONBF);
}

void say(const RankSaid& said) {
  const std::string line = to_line(said) + "\n";
  try {
    write_fully(STDOUT_FILENO, std::as_bytes(std::span(line)), "standard output");
  } catch (const Error&) {
    // Who started this rank has gone: whoever is left ends it.
  }
}

}  // namespace voxmark
