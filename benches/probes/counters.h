// Performance counters of this process, over libpfm4 and perf_event_open: hardware's where there
// is a PMU that may be used, the kernel's own (task clock, page faults) always.
//
// Open them before the first OpenMP region: a counter follows the threads that are created after
// it, and counts nothing in those that were there before.
#pragma once

#include <string>
#include <vector>

#include "benches/probes/counter_arithmetic.h"

namespace voxmark {

// Events that one pass counts together: few enough for any PMU not to multiplex.
using CounterGroup = std::vector<std::string>;

// The kernel's own events; no PMU needed.
CounterGroup software_events();
// Of this CPU: cycles, instructions, cache, branches, dTLB, and floating-point operations by width
// where libpfm4 knows their names here.
std::vector<CounterGroup> hardware_events();
// `text` is "default", "none", or event names of libpfm4 with commas, beside the software events.
// Throws Error (bad_input) when libpfm4 does not know a name.
std::vector<CounterGroup> counter_groups(const std::string& text);

class Counters {
 public:
  // Opens one group, not counting yet. An event that cannot be opened has its reason.
  explicit Counters(const CounterGroup& events);
  ~Counters();
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;
  Counters(Counters&& other) noexcept;
  Counters& operator=(Counters&&) = delete;

  bool is_open(const std::string& event) const;
  // The events that are not open, each with its reason.
  CounterValues missing() const;
  void start();
  // Counted since start(), by all threads together.
  CounterValues stop();
  // What of the kernel is left out where perf_event_paranoid allows no more.
  bool user_space_only() const { return user_space_only_; }

 private:
  struct Counter {
    std::string event;
    int descriptor = -1;
    std::string reason;  // why it is not open
    CounterReading start;
  };
  std::vector<Counter> counters_;
  bool user_space_only_ = false;
};

// Why perf_event_open failed with this errno, and what to do about it. `paranoid`: the text of
// /proc/sys/kernel/perf_event_paranoid.
std::string explain_open_error(int error_number, const std::string& paranoid);

// Why there are no hardware counters here, with the command that enables them; "" where there are.
std::string missing_hardware_counters();

}  // namespace voxmark
