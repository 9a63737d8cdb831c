#include "benches/limits/rank_limits.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <functional>
#include <numeric>
#include <span>
#include <vector>

namespace voxmark {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kKibibyte = 1024;
constexpr std::int64_t kMebibyte = 1024 * kKibibyte;
constexpr std::int64_t kMostGathered = kMebibyte;  // every rank holds that of all ranks
constexpr std::int64_t kMostSummed = 64 * kMebibyte;
constexpr std::int64_t kUnderway = 4 * kMebibyte;  // a message of gradients, behind which others go
constexpr double kSecondsPerSize = 0.1;            // per size; more where few calls take longer
constexpr int kFewestCalls = 3, kMostCalls = 1000;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Of all threads of this process.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

class Meter {
 public:
  explicit Meter(Collectives& collectives) : collectives_(collectives) {}

  // `call` returns the seconds of it that count.
  MessageLimit measure(std::int64_t bytes, const std::function<double()>& call) {
    call();  // what connects, and touches memory
    const int calls = calls_that_fit(call());
    std::vector<double> own(static_cast<std::size_t>(calls));
    const double cpu_before = cpu_seconds();
    std::ranges::generate(own, call);
    const double cpu = (cpu_seconds() - cpu_before) / calls;
    std::vector<double> each = means_over_ranks(own);
    MessageLimit limit;
    limit.bytes = bytes;
    limit.calls = calls;
    limit.cpu_seconds = means_over_ranks({cpu}).front();
    limit.seconds_mean = std::accumulate(each.begin(), each.end(), 0.0) / calls;
    std::ranges::sort(each);
    limit.seconds = each[each.size() / 2];
    limit.seconds_minimum = each.front();
    limit.seconds_maximum = each.back();
    return limit;
  }

 private:
  // The same on all ranks.
  int calls_that_fit(double seconds) {
    const double mean = means_over_ranks({seconds}).front();
    const double calls = kSecondsPerSize / std::max(mean, 1e-9);
    return static_cast<int>(std::clamp(calls, double{kFewestCalls}, double{kMostCalls}));
  }

  std::vector<double> means_over_ranks(const std::vector<double>& own) {
    const auto ranks = static_cast<std::size_t>(collectives_.ranks());
    std::vector<double> all(own.size() * ranks);
    collectives_.gather(ExchangeKind::loss, own, all);
    std::vector<double> means(own.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      means[i % own.size()] += all[i] / static_cast<double>(ranks);
    }
    return means;
  }

  Collectives& collectives_;
};

class Gather {
 public:
  Gather(Collectives& collectives, std::int64_t bytes)
      : collectives_(collectives),
        own_(static_cast<std::size_t>(bytes) / sizeof(double)),
        all_(own_.size() * static_cast<std::size_t>(collectives.ranks())) {}

  double operator()() {
    const Clock::time_point start = Clock::now();
    collectives_.gather(ExchangeKind::statistics, own_, all_);
    return seconds_since(start);
  }

 private:
  Collectives& collectives_;
  std::vector<double> own_, all_;
};

// Of zeros, whose sums stay finite however often they are summed.
double seconds_of_sum(Collectives& collectives, std::span<float> zeros) {
  const Clock::time_point start = Clock::now();
  collectives.begin_sum(zeros);
  collectives.wait();
  return seconds_since(start);
}

std::vector<float> zeros_of(std::int64_t bytes) {
  return std::vector<float>(static_cast<std::size_t>(bytes) / sizeof(float));
}

std::vector<std::int64_t> gathered_sizes(RankSizes sizes) {
  if (sizes == RankSizes::few) {
    return {8, 512, 8 * kKibibyte};
  }
  std::vector<std::int64_t> all;
  for (std::int64_t bytes = 8; bytes <= kMostGathered; bytes *= 2) {
    all.push_back(bytes);
  }
  return all;
}

std::vector<std::int64_t> summed_sizes(RankSizes sizes) {
  if (sizes == RankSizes::few) {
    return {kKibibyte, 64 * kKibibyte, kMebibyte, kUnderway};
  }
  std::vector<std::int64_t> all;
  for (std::int64_t bytes = 8; bytes <= kMostSummed; bytes *= 2) {
    all.push_back(bytes);
  }
  return all;
}

// A meeting while gradients are on the wire, as in the backward pass.
MessageLimit gather_behind_sum(Collectives& collectives, Meter& meter) {
  constexpr std::int64_t kBytes = 512;
  Gather gather(collectives, kBytes);
  std::vector<float> zeros = zeros_of(kUnderway);
  return meter.measure(kBytes, [&] {
    collectives.begin_sum(std::span(zeros));
    gather();  // both begin about now; the next one finds the sum on its way
    const double seconds = gather();
    collectives.wait();
    return seconds;
  });
}

}  // namespace

RankLimits rank_limits(Collectives& collectives, RankSizes sizes) {
  Meter meter(collectives);
  RankLimits limits;
  limits.ranks = collectives.ranks();
  limits.gathers.emplace();
  for (const std::int64_t bytes : gathered_sizes(sizes)) {
    limits.gathers->push_back(meter.measure(bytes, Gather(collectives, bytes)));
  }
  limits.gather_behind_sum = gather_behind_sum(collectives, meter);
  const double share = 2.0 * (collectives.ranks() - 1) / collectives.ranks();
  limits.sums.emplace();
  for (const std::int64_t bytes : summed_sizes(sizes)) {
    std::vector<float> zeros = zeros_of(bytes);
    MessageLimit& limit = limits.sums->emplace_back(
        meter.measure(bytes, [&] { return seconds_of_sum(collectives, zeros); }));
    limit.bytes_per_second = share * static_cast<double>(bytes) / *limit.seconds;
  }
  return limits;
}

}  // namespace voxmark
