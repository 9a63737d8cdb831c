// How much the same case differs from process to process here, and so what a comparison can find.
// Pure: benches/ measures.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace voxmark {

struct NoiseFigures {
  double between_processes = 0;  // standard deviation of the logarithms of processes' medians
  double within_processes = 0;   // of a process's steps, the median over processes
  // 95% of comparisons of the case with itself, half of the processes on each side, differ by less.
  double noise_floor = 0;
};

// `processes`: step seconds of each, at least four processes of at least one step.
// `seed`: of the random halves.
NoiseFigures noise_figures(const std::vector<std::vector<double>>& processes, std::uint64_t seed);

// The least slowdown, as a fraction, that a one-sided rank test of that many processes per side
// finds with 95% power at a false alarm rate of 1%, when processes differ by `between_processes`.
// Nothing where the test cannot reach 1% whatever the figures are, below five per side, nor above
// 30, where the table ends.
std::optional<double> minimum_detectable_effect(double between_processes, int processes_per_side);

// results/tables/detectable_shifts.json: what the rank test of voxmark compare finds, simulated
// once.
std::string_view detectable_shifts_text();

// Per side, the fewest with which such a test can find anything at all where so many are asked at
// once (Holm's correction), as voxmark compare asks of the cases of a run.
int least_processes_to_compare(std::int64_t tests);

}  // namespace voxmark
