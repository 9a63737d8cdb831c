#include "backends/plan/memory_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace voxmark {
namespace {

std::int64_t align_up(std::int64_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

bool alive_together(const Buffer& a, const Buffer& b) {
  return a.first_step <= b.last_step && b.first_step <= a.last_step;
}

struct Interval {
  std::int64_t begin;
  std::int64_t end;
};

// The offset of the smallest gap of at least `bytes` between the intervals, or their end.
std::int64_t smallest_gap(std::vector<Interval>& taken, std::int64_t bytes) {
  std::sort(taken.begin(), taken.end(),
            [](const Interval& a, const Interval& b) { return a.begin < b.begin; });
  std::int64_t best_offset = -1;
  std::int64_t best_gap = std::numeric_limits<std::int64_t>::max();
  std::int64_t end = 0;
  for (const Interval& interval : taken) {
    const std::int64_t gap = interval.begin - end;
    if (gap >= bytes && gap < best_gap) {
      best_gap = gap;
      best_offset = end;
    }
    end = std::max(end, interval.end);
  }
  return best_offset >= 0 ? best_offset : end;
}

// One after the other in the given order, each into the smallest gap that fits.
Placement place_in_order(std::span<const Buffer> buffers, std::span<const std::size_t> order) {
  Placement placement;
  placement.offsets.assign(buffers.size(), 0);
  std::vector<Interval> taken;
  for (std::size_t next = 0; next < order.size(); ++next) {
    const std::size_t i = order[next];
    taken.clear();
    for (const std::size_t j : order.first(next)) {
      if (alive_together(buffers[i], buffers[j])) {
        taken.push_back({placement.offsets[j], placement.offsets[j] + align_up(buffers[j].bytes)});
      }
    }
    const std::int64_t bytes = align_up(buffers[i].bytes);
    placement.offsets[i] = smallest_gap(taken, bytes);
    placement.arena_bytes = std::max(placement.arena_bytes, placement.offsets[i] + bytes);
  }
  return placement;
}

constexpr int kRounds = 200;

}  // namespace

Placement place_buffers(std::span<const Buffer> buffers) {
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return buffers[a].bytes > buffers[b].bytes;
  });
  Placement placement = place_in_order(buffers, order);
  Placement best = placement;
  const std::int64_t least = peak_bytes(buffers);
  for (int round = 0; round < kRounds && best.arena_bytes > least; ++round) {
    // What sticks out at the top found no gap: let it choose first.
    const auto top = std::find_if(order.begin(), order.end(), [&](std::size_t i) {
      return placement.offsets[i] + align_up(buffers[i].bytes) == placement.arena_bytes;
    });
    std::rotate(order.begin(), top, top + 1);
    placement = place_in_order(buffers, order);
    if (placement.arena_bytes < best.arena_bytes) {
      best = placement;
    }
  }
  return best;
}

std::int64_t peak_bytes(std::span<const Buffer> buffers) {
  std::int64_t peak = 0;
  for (const Buffer& at : buffers) {  // the peak is reached where some buffer begins
    std::int64_t sum = 0;
    for (const Buffer& buffer : buffers) {
      if (buffer.first_step <= at.first_step && at.first_step <= buffer.last_step) {
        sum += align_up(buffer.bytes);
      }
    }
    peak = std::max(peak, sum);
  }
  return peak;
}

}  // namespace voxmark
