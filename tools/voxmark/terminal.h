// How wide what is printed may be.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "results/tables/table.h"

namespace voxmark {

// $COLUMNS, or the terminal's on standard output; nothing in a pipe or a file.
std::optional<std::size_t> terminal_columns();

// As wide as the terminal at most; in a pipe or a file every row is one line.
std::string fitted(const Table& table);

}  // namespace voxmark
