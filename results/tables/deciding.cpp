#include "results/tables/deciding.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/number_text.h"

namespace voxmark {
namespace {

// The first reason of the first disturbed process that names one.
std::string first_reason(std::span<const Record* const> records) {
  for (const Record* record : records) {
    if (!was_disturbed(*record)) {
      continue;
    }
    const auto& reasons = record->facts.interference->reasons;
    if (reasons && !reasons->empty()) {
      return reasons->front();
    }
  }
  return "";
}

}  // namespace

bool was_disturbed(const Record& record) {
  return record.facts.interference && record.facts.interference->tainted == true;
}

Deciding deciding(std::span<const Record* const> measured) {
  Deciding found;
  found.records.assign(measured.begin(), measured.end());
  found.measured = static_cast<int>(measured.size());
  found.disturbed = static_cast<int>(
      std::ranges::count_if(measured, [](const Record* own) { return was_disturbed(*own); }));
  if (found.disturbed > 0 && found.measured - found.disturbed >= kEnoughUndisturbed) {
    std::erase_if(found.records, [](const Record* own) { return was_disturbed(*own); });
    found.left_out = found.disturbed;
  }
  return found;
}

std::string disturbed_count(int disturbed, int measured) {
  return fmt::format("{} of {} {} disturbed", disturbed, counted(measured, "process"),
                     disturbed == 1 ? "was" : "were");
}

std::string disturbed_note(const Deciding& processes) {
  if (processes.disturbed == 0) {
    return "";
  }
  const std::string count = disturbed_count(processes.disturbed, processes.measured);
  if (processes.left_out > 0) {
    return count + " and left out";
  }
  const std::string reason = first_reason(processes.records);
  return reason.empty() ? count : count + ": " + reason;
}

}  // namespace voxmark
