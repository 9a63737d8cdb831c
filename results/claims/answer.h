// What `voxmark reproduce` says first: whether the paper's speed-up is so here, then a row for each
// of its claims. The same words stand in the report and on its page.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "results/claims/claims.h"
#include "results/claims/generations.h"
#include "results/tables/table.h"

namespace voxmark {

// Of a claim of the paper, whichever backend tells most of it.
struct ClaimRow {
  std::string claim;    // its id
  std::string title;    // what the paper says, in a few words
  std::string place;    // where
  std::string paper;    // its figure, or ""
  std::string here;     // ours, or why there is none
  std::string verdict;  // holds, more, less (of the speed-up), does not hold, open, not tested
};

struct Answer {
  // The speed-up here; whether it is the paper's; how sure that is, and the command that tells
  // more.
  std::array<std::string, 3> lines;
  std::vector<ClaimRow> claims;
  Generations generations;
  std::string left_out;  // what was not measured, in a line; "" where nothing
  std::string measured;  // when, on what, by what
};

Answer answer_of(const Claims& claims, const Report& report, std::span<const Finding> findings);

Json to_json(const Answer& answer);

// For a terminal, no line wider than `columns`, 60 at least; 0: 100.
std::string render_text(const Answer& answer, std::size_t columns = 0);
std::string render_markdown(const Answer& answer);

}  // namespace voxmark
