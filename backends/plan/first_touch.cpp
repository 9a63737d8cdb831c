#include "backends/plan/first_touch.h"

#include <algorithm>
#include <functional>
#include <map>

namespace voxmark {
namespace {

// The pages that no thread has yet, as runs: first page -> one past the last.
class FreePages {
 public:
  explicit FreePages(std::int64_t count) { runs_[0] = count; }

  // Takes what is free of [first, last), and tells it.
  template <class F>
  void take(std::int64_t first, std::int64_t last, F f) {
    auto run = runs_.upper_bound(first);
    if (run != runs_.begin()) {
      --run;
    }
    while (run != runs_.end() && run->first < last) {
      const auto [begin, end] = *run;
      if (end <= first) {
        ++run;
        continue;
      }
      const std::int64_t from = std::max(begin, first), to = std::min(end, last);
      run = runs_.erase(run);
      if (begin < from) {
        runs_[begin] = from;
      }
      if (to < end) {
        run = runs_.emplace(to, end).first;
      }
      f(from, to);
    }
  }

 private:
  std::map<std::int64_t, std::int64_t> runs_;
};

}  // namespace

std::vector<std::vector<PageRun>> first_touch(std::int64_t arena_bytes, std::int64_t page_bytes,
                                              std::span<const Region> regions, int threads) {
  const auto pages_up_to = [&](std::int64_t byte) { return (byte + page_bytes - 1) / page_bytes; };
  std::vector<Region> order(regions.begin(), regions.end());
  std::ranges::stable_sort(order, std::greater(), &Region::bytes);
  order.push_back({0, arena_bytes});

  FreePages free(pages_up_to(arena_bytes));
  std::vector<std::vector<PageRun>> touched(static_cast<std::size_t>(threads));
  for (const Region& region : order) {
    // A page goes with its first byte; the region's first page, which may begin before it, with the
    // first share.
    std::int64_t first = region.begin / page_bytes;
    for (int thread = 0; thread < threads; ++thread) {
      const std::int64_t last =
          pages_up_to(region.begin + region.bytes * (std::int64_t{thread} + 1) / threads);
      free.take(first, last, [&](std::int64_t from, std::int64_t to) {
        touched[static_cast<std::size_t>(thread)].push_back(
            {from * page_bytes, std::min(to * page_bytes, arena_bytes)});
      });
      first = std::max(first, last);
    }
  }
  return touched;
}

}  // namespace voxmark
