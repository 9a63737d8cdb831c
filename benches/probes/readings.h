// What the kernel counted while something ran: page faults, CPU time, context switches of this
// process, all threads together, and the signs that others took the CPUs away meanwhile; beside it
// what the program itself counts. Knows nothing of hardware counters, nor what is too much
// (benches/probes/interference.h does).
#pragma once

#include <sys/resource.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "benches/probes/process_counts.h"

namespace voxmark {

// Cumulative seconds since boot or since the process began; nothing where the kernel does not tell.
struct StolenTime {
  std::optional<double> steal;      // of this machine's CPUs, by its hypervisor
  std::optional<double> throttled;  // of this cgroup, by its CPU quota
  std::optional<double> pressure;   // in which any task on this machine waited for a CPU
  std::optional<double> run_delay;  // that threads of this process waited for a CPU, added up
};

// "cpu  user nice system idle iowait irq softirq steal ..." of /proc/stat, in seconds.
std::optional<double> steal_seconds(const std::string& stat, long ticks_per_second);
// throttled_usec (cgroup v2) or throttled_time (v1, nanoseconds) of a cpu.stat file.
std::optional<double> throttled_seconds(const std::string& cpu_stat);
// "some ... total=" of a file of /proc/pressure.
std::optional<double> pressure_seconds(const std::string& pressure);

// A file that is read again and again: opened once, as /proc allows.
class RereadFile {
 public:
  explicit RereadFile(const std::string& path);
  ~RereadFile();
  RereadFile(const RereadFile&) = delete;
  RereadFile& operator=(const RereadFile&) = delete;
  RereadFile(RereadFile&& other) noexcept;
  RereadFile& operator=(RereadFile&&) = delete;

  // Its first 4 KiB; "" when it cannot be read.
  std::string text() const;

 private:
  int descriptor_;
};

// ProcessCounts, by their names in a record.
constexpr std::array<const char*, 3> kCountReadings = {"heap_allocations", "heap_allocated_bytes",
                                                       "thread_starts"};

class ReadingsProbe {
 public:
  // `count`: null where this program does not count.
  explicit ReadingsProbe(CountProcess count = nullptr);
  void start();
  // Since start(): minor_faults, major_faults, user_seconds, system_seconds, voluntary_switches,
  // involuntary_switches, and those of steal_seconds, throttled_seconds, cpu_pressure_seconds,
  // run_delay_seconds and kCountReadings that there are.
  Json stop();
  // Of those that there are not: name -> reason.
  std::map<std::string, std::string> missing() const;

 private:
  StolenTime stolen_time();
  std::optional<double> run_delay();
  std::optional<double> listed_run_delay();
  std::optional<double> throttled() const;

  RereadFile stat_, pressure_;
  std::vector<RereadFile> cpu_stats_;  // of our cgroup and those around it
  std::vector<RereadFile> threads_;    // schedstat of each
  unsigned long threads_seen_ = 0;
  bool run_delay_lost_ = false;  // with a thread that ended
  CountProcess count_;
  CountsOrReason counts_at_start_;
  rusage start_ = {};
  StolenTime stolen_at_start_;
};

// The difference of two readings of getrusage; pure.
Json usage_between(const rusage& from, const rusage& to);

}  // namespace voxmark
