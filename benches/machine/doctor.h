// What on this machine spoils a measurement, and the command that mends it. A pure function of
// facts; benches/machine/environment.h gathers them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace voxmark {

enum class Health {
  good,
  spoils,   // figures measured here are off, or vary
  outside,  // the same, but nothing in here can mend it: told, not judged
  unknown,  // this machine does not tell
};
std::string to_string(Health health);

struct Diagnosis {
  std::string subject;  // "governor"
  Health health = Health::unknown;
  std::string found;   // what it is
  std::string effect;  // on a measurement; "" when good
  std::string remedy;  // a command, or what else to do; "" when good
};

// What is asked beside the environment.
struct Situation {
  std::string missing_counters;              // benches/probes/counters.h; "" where they work
  std::optional<double> steal_fraction;      // of all CPUs' time, just now
  std::optional<double> throttled_fraction;  // of the time, just now
  std::optional<double> run_delay_fraction;  // that a busy thread waited for a CPU, just now
  std::optional<double> others_cpus;         // that other programs used, just now
  bool is_root = false;                      // else commands need sudo
  bool is_kernel_read_only = false;          // /sys is, as in containers: only the host can mend
};

// `environment` as probe_environment() tells it.
std::vector<Diagnosis> diagnose(const Json& environment, const Situation& situation);

// Watches for `seconds` with one busy thread.
Situation observe_situation(double seconds);

// Whether something runs beside us that makes times longer: "other programs use 1.3 CPUs; a thread
// waited 72% of the time for a CPU". Nothing on a quiet machine. Watches for half a second.
std::optional<std::string> busy_machine();
std::optional<std::string> busy_machine(const Situation& situation);
// What to say of it before anything is timed.
std::string busy_warning(const std::string& busy);

}  // namespace voxmark
