// A table of texts, aligned for a terminal or as Markdown.
#pragma once

#include <string>
#include <vector>

namespace voxmark {

enum class Align { left, right };

struct Column {
  std::string header;
  Align align = Align::left;
};

struct Table {
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  // as many texts as there are columns
};

// Lines without trailing blanks, each ended by a newline. Control characters in a text (of a
// library's message, say) become blanks, so that every row stays one line.
std::string render_text(const Table& table);
std::string render_markdown(const Table& table);

}  // namespace voxmark
