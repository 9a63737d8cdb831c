#include "benches/probes/readings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <utility>

#include "benches/process/cgroup.h"

namespace voxmark {
namespace {

double seconds_between(const timeval& from, const timeval& to) {
  return static_cast<double>(to.tv_sec - from.tv_sec) +
         1e-6 * static_cast<double>(to.tv_usec - from.tv_usec);
}

rusage usage_now() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage;
}

// The count behind the first `key`, which may have blanks between.
std::optional<double> count_after(std::string_view text, std::string_view key) {
  const std::size_t found = text.find(key);
  if (found == std::string_view::npos) {
    return std::nullopt;
  }
  const std::size_t digits = text.find_first_not_of(" \t", found + key.size());
  std::uint64_t value = 0;
  if (digits == std::string_view::npos ||
      std::from_chars(text.data() + digits, text.data() + text.size(), value).ec != std::errc()) {
    return std::nullopt;
  }
  return static_cast<double>(value);
}

std::optional<double> scaled(std::optional<double> value, double factor) {
  return value ? std::optional(*value * factor) : std::nullopt;
}

void add_difference(Json& readings, const char* name, const std::optional<double>& from,
                    const std::optional<double>& to) {
  if (from && to && *to >= *from) {  // what ends takes its part of a sum along
    readings[name] = *to - *from;
  }
}

void add_counts(Json& readings, const CountsOrReason& from, const CountsOrReason& to) {
  const auto* first = std::get_if<ProcessCounts>(&from);
  const auto* last = std::get_if<ProcessCounts>(&to);
  if (first != nullptr && last != nullptr) {
    readings["heap_allocations"] = last->heap_allocations - first->heap_allocations;
    readings["heap_allocated_bytes"] = last->heap_allocated_bytes - first->heap_allocated_bytes;
    readings["thread_starts"] = last->thread_starts - first->thread_starts;
  }
}

}  // namespace

std::optional<double> steal_seconds(const std::string& stat, long ticks_per_second) {
  constexpr int kFieldsBeforeSteal = 7;
  if (!stat.starts_with("cpu ")) {
    return std::nullopt;
  }
  std::size_t position = stat.find_first_of("0123456789");
  for (int field = 0; field < kFieldsBeforeSteal && position != std::string::npos; ++field) {
    position = stat.find(' ', position);
    position = position == std::string::npos ? position : position + 1;
  }
  return position == std::string::npos
             ? std::nullopt
             : scaled(count_after(std::string_view(stat).substr(position), ""),
                      1.0 / static_cast<double>(ticks_per_second));
}

std::optional<double> throttled_seconds(const std::string& cpu_stat) {
  if (const auto microseconds = count_after(cpu_stat, "throttled_usec")) {
    return *microseconds * 1e-6;
  }
  return scaled(count_after(cpu_stat, "throttled_time"), 1e-9);
}

std::optional<double> pressure_seconds(const std::string& pressure) {
  return pressure.starts_with("some") ? scaled(count_after(pressure, "total="), 1e-6)
                                      : std::nullopt;
}

RereadFile::RereadFile(const std::string& path)
    : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}

RereadFile::~RereadFile() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

RereadFile::RereadFile(RereadFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

std::string RereadFile::text() const {
  std::array<char, 4096> buffer;  // not filled with zeros: it is read into
  const ssize_t count = descriptor_ < 0 ? 0 : pread(descriptor_, buffer.data(), buffer.size(), 0);
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

Json usage_between(const rusage& from, const rusage& to) {
  return {{"minor_faults", to.ru_minflt - from.ru_minflt},
          {"major_faults", to.ru_majflt - from.ru_majflt},
          {"user_seconds", seconds_between(from.ru_utime, to.ru_utime)},
          {"system_seconds", seconds_between(from.ru_stime, to.ru_stime)},
          {"voluntary_switches", to.ru_nvcsw - from.ru_nvcsw},
          {"involuntary_switches", to.ru_nivcsw - from.ru_nivcsw}};
}

ReadingsProbe::ReadingsProbe(CountProcess count)
    : stat_("/proc/stat"),
      pressure_("/proc/pressure/cpu"),
      count_(count),
      counts_at_start_("this program does not count them") {
  for (const std::string& file : cgroup_files("cpu", "cpu.stat")) {
    cpu_stats_.emplace_back(file);
  }
}

// By the quota of any group: each counts its own alone.
std::optional<double> ReadingsProbe::throttled() const {
  std::optional<double> sum;
  for (const RereadFile& file : cpu_stats_) {
    if (const auto seconds = throttled_seconds(file.text())) {
      sum = sum.value_or(0) + *seconds;
    }
  }
  return sum;
}

// A thread's schedstat reads "<ns on a CPU> <ns waiting for one> <slices>".
std::optional<double> ReadingsProbe::listed_run_delay() {
  struct stat folder = {};
  if (stat("/proc/self/task", &folder) != 0) {
    return std::nullopt;
  }
  if (folder.st_nlink != threads_seen_) {  // 2 + threads
    threads_.clear();
    std::error_code failure;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", failure)) {
      threads_.emplace_back(task.path() / "schedstat");
    }
    threads_seen_ = folder.st_nlink;
  }
  double nanoseconds = 0;
  for (const RereadFile& thread : threads_) {
    const std::string text = thread.text();
    const auto waited = count_after(text, " ");
    if (!waited) {
      return std::nullopt;
    }
    nanoseconds += *waited;
  }
  return nanoseconds * 1e-9;
}

// Where one thread ended and another began, there are as many as listed, but others.
std::optional<double> ReadingsProbe::run_delay() {
  std::optional<double> seconds = listed_run_delay();
  if (!seconds) {
    threads_seen_ = 0;
    seconds = listed_run_delay();
  }
  return seconds;
}

StolenTime ReadingsProbe::stolen_time() {
  StolenTime time;
  time.steal = steal_seconds(stat_.text(), sysconf(_SC_CLK_TCK));
  time.throttled = throttled();
  time.pressure = pressure_seconds(pressure_.text());
  time.run_delay = run_delay();
  return time;
}

void ReadingsProbe::start() {
  stolen_at_start_ = stolen_time();
  start_ = usage_now();
  if (count_ != nullptr) {
    counts_at_start_ = count_();
  }
}

Json ReadingsProbe::stop() {
  // First of all: what follows allocates.
  const CountsOrReason counts = count_ == nullptr ? counts_at_start_ : count_();
  Json readings = usage_between(start_, usage_now());
  add_counts(readings, counts_at_start_, counts);
  const StolenTime now = stolen_time();
  add_difference(readings, "steal_seconds", stolen_at_start_.steal, now.steal);
  add_difference(readings, "throttled_seconds", stolen_at_start_.throttled, now.throttled);
  add_difference(readings, "cpu_pressure_seconds", stolen_at_start_.pressure, now.pressure);
  add_difference(readings, "run_delay_seconds", stolen_at_start_.run_delay, now.run_delay);
  run_delay_lost_ = !readings.contains("run_delay_seconds");
  return readings;
}

std::map<std::string, std::string> ReadingsProbe::missing() const {
  std::map<std::string, std::string> reasons;
  if (!steal_seconds(stat_.text(), sysconf(_SC_CLK_TCK))) {
    reasons["steal_seconds"] = "cannot read /proc/stat";
  }
  if (!throttled()) {
    reasons["throttled_seconds"] = "no cpu.stat of this cgroup";
  }
  if (!pressure_seconds(pressure_.text())) {
    reasons["cpu_pressure_seconds"] = "the kernel has no /proc/pressure (CONFIG_PSI)";
  }
  if (threads_.empty() || threads_.front().text().empty()) {
    reasons["run_delay_seconds"] = "the kernel has no schedstat (CONFIG_SCHED_INFO)";
  } else if (run_delay_lost_) {
    reasons["run_delay_seconds"] = "a thread ended meanwhile";
  }
  if (const auto* reason = std::get_if<std::string>(&counts_at_start_)) {
    for (const char* name : kCountReadings) {
      reasons[name] = *reason;
    }
  }
  return reasons;
}

}  // namespace voxmark
