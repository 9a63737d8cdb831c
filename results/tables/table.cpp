#include "results/tables/table.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <sstream>

namespace voxmark {
namespace {

bool is_control(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return value < 0x20U || value == 0x7fU;
}

std::string one_line(std::string text) {
  std::ranges::replace_if(text, is_control, ' ');
  return text;
}

// A pipe would end a cell.
std::string markdown_cell(const std::string& text) {
  std::string escaped;
  for (const char byte : one_line(text)) {
    if (byte == '|') {
      escaped += '\\';
    }
    escaped += byte;
  }
  return escaped;
}

// Code points of UTF-8, which is what a terminal aligns by.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }));
}

std::string padded(const std::string& text, std::size_t to, Align align) {
  const std::string blanks(to - width(text), ' ');
  return align == Align::left ? text + blanks : blanks + text;
}

std::vector<std::size_t> widths(const Table& table) {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    result.push_back(width(table.columns[i].header));
    for (const auto& row : table.rows) {
      result[i] = std::max(result[i], width(row[i]));
    }
  }
  return result;
}

// The table with every text made fit for one cell, headers as its first row.
template <class Escape>
Table escaped(const Table& table, Escape escape) {
  Table result = table;
  for (Column& column : result.columns) {
    column.header = escape(column.header);
  }
  for (auto& row : result.rows) {
    for (std::string& text : row) {
      text = escape(text);
    }
  }
  return result;
}

std::vector<std::string> headers(const Table& table) {
  std::vector<std::string> result;
  for (const Column& column : table.columns) {
    result.push_back(column.header);
  }
  return result;
}

// Which columns stay in the table; all of them where it fits.
std::vector<std::size_t> columns_within(const Table& table, std::size_t terminal_columns) {
  const std::vector<std::size_t> column_widths = widths(table);
  std::vector<std::size_t> kept(table.columns.size());
  std::iota(kept.begin(), kept.end(), std::size_t{0});
  std::size_t total = 0;
  for (const std::size_t column_width : column_widths) {
    total += column_width + table.gap;
  }
  for (std::size_t i = table.columns.size(); i-- > 0 && total > terminal_columns + table.gap;) {
    if (!table.columns[i].may_go_below) {
      continue;
    }
    std::erase(kept, i);
    total -= column_widths[i] + table.gap;
  }
  return kept;
}

Table only(const Table& table, const std::vector<std::size_t>& kept) {
  Table result;
  result.gap = table.gap;
  for (const std::size_t i : kept) {
    result.columns.push_back(table.columns[i]);
  }
  for (const auto& row : table.rows) {
    std::vector<std::string>& texts = result.rows.emplace_back();
    for (const std::size_t i : kept) {
      texts.push_back(row[i]);
    }
  }
  return result;
}

}  // namespace

std::vector<std::string> folded(const std::string& text, std::size_t columns) {
  std::vector<std::string> lines;
  std::istringstream words(one_line(text));
  for (std::string word; words >> word;) {
    if (lines.empty() || width(lines.back()) + 1 + width(word) > columns) {
      lines.push_back(word);
    } else {
      lines.back() += " " + word;
    }
  }
  return lines;
}

std::string render_text(const Table& original) {
  const Table table = escaped(original, one_line);
  const std::vector<std::size_t> column_widths = widths(table);
  std::string text;
  const auto add_row = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) {
        line += std::string(table.gap, ' ');
      }
      line += padded(row[i], column_widths[i], table.columns[i].align);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add_row(headers(table));
  std::vector<std::string> rules;
  rules.reserve(column_widths.size());
  for (const std::size_t column_width : column_widths) {
    rules.emplace_back(column_width, '-');
  }
  add_row(rules);
  for (const auto& row : table.rows) {
    add_row(row);
  }
  return text;
}

std::string render_within(const Table& original, std::size_t terminal_columns) {
  const Table table = escaped(original, one_line);
  const std::vector<std::size_t> kept = columns_within(table, terminal_columns);
  std::istringstream lines(render_text(only(table, kept)));
  std::string text;
  std::string line;
  for (int i = 0; i < 2 && std::getline(lines, line); ++i) {
    text += line + "\n";  // header and rule
  }
  for (const auto& row : table.rows) {
    std::getline(lines, line);
    text += line + "\n";
    std::string below;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (std::ranges::binary_search(kept, i) || row[i].empty() || row[i] == "-") {
        continue;
      }
      below += (below.empty() ? "" : "; ") + table.columns[i].header + ": " + row[i];
    }
    const std::string indent(4, ' ');
    for (const std::string& part :
         folded(below, std::max(terminal_columns, indent.size()) - indent.size())) {
      text += indent + part + "\n";
    }
  }
  return text;
}

std::string render_markdown(const Table& original) {
  const Table table = escaped(original, markdown_cell);
  const std::vector<std::size_t> column_widths = widths(table);
  std::string text;
  const auto add_row = [&](const std::vector<std::string>& row) {
    text += "|";
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += " " + padded(row[i], column_widths[i], table.columns[i].align) + " |";
    }
    text += "\n";
  };
  add_row(headers(table));
  text += "|";
  for (std::size_t i = 0; i < column_widths.size(); ++i) {
    const bool right = table.columns[i].align == Align::right;
    text += std::string(column_widths[i] + 1, '-') + (right ? ":|" : "-|");
  }
  text += "\n";
  for (const auto& row : table.rows) {
    add_row(row);
  }
  return text;
}

}  // namespace voxmark
