#include "benches/limits/machine_limits.h"

#include <fmt/format.h>
#include <omp.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <span>
#include <variant>

#include "backends/registry/registry.h"
#include "base/error.h"
#include "base/number_text.h"
#include "benches/limits/limit_kernels.h"
#include "benches/limits/rounds.h"
#include "benches/probes/interference.h"
#include "benches/probes/readings.h"
#include "benches/process/memory_room.h"

namespace voxmark {
namespace {

constexpr double kBudgetSeconds = 0.3;    // per rate
constexpr std::int64_t kRounds = 200000;  // of multiply-adds: 2 ms, less than a scheduler's slice
constexpr std::int64_t kCacheMultiple = 4;
constexpr std::int64_t kLeastCacheBytes = std::int64_t{32} << 20;

struct Rate {
  const char* name;
  std::optional<double> MachineLimits::* best;
  std::optional<double> MachineLimits::* median;
};
constexpr Rate kFp32 = {"fp32_flops_per_second", &MachineLimits::fp32_flops_per_second,
                        &MachineLimits::fp32_flops_per_second_median};
constexpr Rate kBf16 = {"bf16_flops_per_second", &MachineLimits::bf16_flops_per_second,
                        &MachineLimits::bf16_flops_per_second_median};
constexpr Rate kTriad = {"triad_bytes_per_second", &MachineLimits::triad_bytes_per_second,
                         &MachineLimits::triad_bytes_per_second_median};

void add_rate(MachineLimits& limits, const Rate& rate, double amount, const TimedTry& timed) {
  limits.*rate.best = amount / timed.seconds.best;
  limits.*rate.median = amount / timed.seconds.median;
  for (const std::string& reason : timed.interference) {
    limits.interference->push_back(fmt::format("{}: {}", rate.name, reason));
  }
}

// `rounds`: -> RoundSeconds.
template <class Rounds>
TimedTry watched(int threads, Rounds rounds) {
  using Clock = std::chrono::steady_clock;
  return least_disturbed([&] {
    ReadingsProbe probe;
    const Clock::time_point begin = Clock::now();
    probe.start();
    TimedTry timed = {rounds(), {}};
    const Json readings = probe.stop();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    timed.interference = taints(readings, seconds, threads);
    return timed;
  });
}

void add_missing(MachineLimits& limits, const Rate& rate, const std::string& reason) {
  if (!limits.reasons) {
    limits.reasons.emplace();
  }
  (*limits.reasons)[rate.name] = reason;
}

void add_multiply_add(MachineLimits& limits, int threads) {
  const MultiplyAdd kernel = multiply_add();
  float sum = 0;
  const TimedTry timed = watched(threads, [&] {
    return timed_rounds(kBudgetSeconds, [&] {
      float all = 0;
#pragma omp parallel num_threads(threads) reduction(+ : all)
      all += kernel.rounds(kRounds);
      sum += all;
    });
  });
  const double flops = static_cast<double>(threads) * static_cast<double>(kRounds) *
                       static_cast<double>(kernel.flops_per_round);
  if (!std::isfinite(sum)) {
    return add_missing(limits, kFp32, "the kernel computed nonsense");
  }
  add_rate(limits, kFp32, flops, timed);
  limits.fp32_isa = kernel.isa;
}

void add_matmul(MachineLimits& limits, int threads) {
  const ProductOrReason either = bf16_matrix_product();
  if (const auto* unsupported = std::get_if<Unsupported>(&either)) {
    return add_missing(limits, kBf16, unsupported->reason);
  }
  const auto& product = std::get<MatrixProduct>(either);
  try {
    add_rate(limits, kBf16, product.flops,
             watched(threads, [&] { return timed_rounds(kBudgetSeconds, product.run); }));
    limits.bf16_implementation = product.implementation;
  } catch (const Error& error) {
    add_missing(limits, kBf16, error.what());
  }
}

// Fresh pages, so that each thread places its own part by touching it first.
class Array {
 public:
  explicit Array(std::size_t count) : bytes_(count * sizeof(double)) {
    void* mapped =
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    data_ = mapped == MAP_FAILED ? nullptr : static_cast<double*>(mapped);
  }
  ~Array() {
    if (data_ != nullptr) {
      munmap(data_, bytes_);
    }
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  bool allocated() const { return data_ != nullptr; }
  // The part of one thread of several.
  std::span<double> part(int thread, int threads) const {
    const std::size_t count = bytes_ / sizeof(double) / static_cast<std::size_t>(threads);
    return {data_ + count * static_cast<std::size_t>(thread), count};
  }

 private:
  std::size_t bytes_;
  double* data_ = nullptr;
};

void add_triad(MachineLimits& limits, int threads) {
  const MemoryRoom room = memory_room();
  const std::int64_t bytes = triad_array_bytes(last_level_cache_bytes(threads), room.bytes);
  if (4 * bytes > room.bytes) {
    return add_missing(limits, kTriad,
                       "three arrays of " + bytes_text(bytes) + " do not fit the " +
                           bytes_text(room.bytes) + " there are");
  }
  const auto count = static_cast<std::size_t>(bytes) / sizeof(double);
  const Array to(count), from(count), other(count);
  if (!to.allocated() || !from.allocated() || !other.allocated()) {
    return add_missing(limits, kTriad, "no memory for three arrays of " + bytes_text(bytes));
  }
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    std::ranges::fill(to.part(thread, threads), 0.0);
    std::ranges::fill(from.part(thread, threads), 1.0);
    std::ranges::fill(other.part(thread, threads), 2.0);
  }
  const TimedTry timed = watched(threads, [&] {
    return timed_rounds(kBudgetSeconds, [&] {
#pragma omp parallel num_threads(threads)
      {
        const int thread = omp_get_thread_num();
        triad(to.part(thread, threads), from.part(thread, threads), other.part(thread, threads),
              3.0);
      }
    });
  });
  const std::size_t part = count / static_cast<std::size_t>(threads);
  const double moved = 3.0 * sizeof(double) * static_cast<double>(part) * threads;
  add_rate(limits, kTriad, moved, timed);
  limits.triad_array_bytes = bytes;
}

}  // namespace

std::int64_t triad_array_bytes(std::int64_t cache_bytes, std::int64_t room_bytes) {
  const std::int64_t bytes = kCacheMultiple * cache_bytes;
  return 8 * bytes > room_bytes ? bytes / 2 : bytes;
}

std::int64_t last_level_cache_bytes(int threads, const std::string& cpus) {
  constexpr std::int64_t kMostKibibytes = std::int64_t{1} << 32;  // 4 TiB is no cache
  std::int64_t bytes = 0;                                         // of the largest
  std::set<std::string> caches;
  for (int cpu = 0; std::filesystem::exists(fmt::format("{}/cpu{}", cpus, cpu)); ++cpu) {
    std::string sharing;  // the CPUs that share this one's last cache; "" where there is none
    for (int index = 0;; ++index) {
      const std::string cache = fmt::format("{}/cpu{}/cache/index{}", cpus, cpu, index);
      std::int64_t kibibytes = 0;  // the file reads "32768K"
      if (!(std::ifstream(cache + "/size") >> kibibytes)) {
        break;
      }
      if (kibibytes > 0 && kibibytes < kMostKibibytes) {
        bytes = std::max(bytes, kibibytes << 10);
      }
      std::getline(std::ifstream(cache + "/shared_cpu_list"), sharing);
    }
    caches.insert(sharing);
  }
  caches.erase("");
  const auto reached = std::clamp<std::int64_t>(threads, 1, std::ssize(caches) + (caches.empty()));
  return std::max(kLeastCacheBytes, bytes * reached);
}

MachineLimits machine_limits(int threads) {
  omp_set_num_threads(threads);
  MachineLimits limits;
  limits.threads = threads;
  limits.interference.emplace();
  add_multiply_add(limits, threads);
  add_matmul(limits, threads);
  add_triad(limits, threads);
  return limits;
}

}  // namespace voxmark
