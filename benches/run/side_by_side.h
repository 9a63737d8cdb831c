// Which steps of several copies ran while all the others ran steps too: only these tell what the
// machine does with all of them at once. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "benches/exchange/exchange.h"

namespace voxmark {

struct SideBySide {
  // By copy and step: timed, but not beside all others.
  std::vector<std::vector<bool>> alone;
  // Why no timed step of a copy ran beside all others; then none of `alone` is set.
  std::optional<std::string> apart;
};

// The copies' common time begins when the last one has done its warm-up steps, and ends when the
// first one has done its timed steps. A step counts with 90% of it in that time: copies that do the
// same do not end in the same moment.
SideBySide side_by_side(std::span<const Exchange> copies, int warmup);

// Seconds of the timed steps that count, of the copy `index`.
std::vector<double> counted_seconds(std::span<const Exchange> copies, std::size_t index,
                                    const SideBySide& times);

}  // namespace voxmark
