#include "results/table.h"

#include <algorithm>
#include <cstddef>

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
    if (byte == '|') escaped += '\\';
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
    for (const auto& row : table.rows) result[i] = std::max(result[i], width(row[i]));
  }
  return result;
}

// The table with every text made fit for one cell, headers as its first row.
template <class Escape>
Table escaped(const Table& table, Escape escape) {
  Table result = table;
  for (Column& column : result.columns) column.header = escape(column.header);
  for (auto& row : result.rows) {
    for (std::string& text : row) text = escape(text);
  }
  return result;
}

std::vector<std::string> headers(const Table& table) {
  std::vector<std::string> result;
  for (const Column& column : table.columns) result.push_back(column.header);
  return result;
}

}  // namespace

std::string render_text(const Table& original) {
  const Table table = escaped(original, one_line);
  const std::vector<std::size_t> column_widths = widths(table);
  std::string text;
  const auto add_row = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      line += padded(row[i], column_widths[i], table.columns[i].align);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add_row(headers(table));
  std::vector<std::string> rules;
  rules.reserve(column_widths.size());
  for (const std::size_t column_width : column_widths) rules.emplace_back(column_width, '-');
  add_row(rules);
  for (const auto& row : table.rows) add_row(row);
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
  for (const auto& row : table.rows) add_row(row);
  return text;
}

}  // namespace voxmark
