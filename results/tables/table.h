// A table of texts, aligned for a terminal or as Markdown.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace voxmark {

enum class Align { left, right };

struct Column {
  std::string header;
  Align align = Align::left;
  bool may_go_below = false;  // in a narrow terminal, to lines of its own under its row
};

struct Table {
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  // as many texts as there are columns
  std::size_t gap = 2;                         // blanks between columns
};

// In lines of so many columns at most, broken between words; a longer word has a line of its own.
// Control characters count as blanks. Nothing of a text without words.
std::vector<std::string> folded(const std::string& text, std::size_t columns);

// Lines without trailing blanks, each ended by a newline. Control characters in a text (of a
// library's message, say) become blanks, so that every row stays one line.
std::string render_text(const Table& table);
// As render_text, no wider than a terminal of so many columns: what decides stays in the table,
// whole, and as many columns as must go below their rows, the last ones first, as "header: text".
std::string render_within(const Table& table, std::size_t terminal_columns);
std::string render_markdown(const Table& table);

}  // namespace voxmark
