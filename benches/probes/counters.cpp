#include "benches/probes/counters.h"

#include <linux/perf_event.h>
#include <perfmon/pfmlib_perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/error.h"

namespace voxmark {
namespace {

// Floating-point operations by width, as different CPUs name them. Those that libpfm4 does not know
// on this CPU are left out.
const std::vector<std::string> kFloatingPointEvents = {"FP_ARITH_INST_RETIRED:SCALAR_SINGLE",
                                                       "FP_ARITH_INST_RETIRED:128B_PACKED_SINGLE",
                                                       "FP_ARITH_INST_RETIRED:256B_PACKED_SINGLE",
                                                       "FP_ARITH_INST_RETIRED:512B_PACKED_SINGLE",
                                                       "FP_ARITH:SCALAR_SINGLE",
                                                       "FP_ARITH:128B_PACKED_SINGLE",
                                                       "FP_ARITH:256B_PACKED_SINGLE",
                                                       "FP_ARITH:512B_PACKED_SINGLE",
                                                       "RETIRED_SSE_AVX_FLOPS:ANY"};

bool initialised() {
  static const bool done = pfm_initialize() == PFM_SUCCESS;
  return done;
}

// pfm's status of a name, and what to open.
int encode(const std::string& event, bool with_kernel, perf_event_attr& attributes) {
  if (!initialised()) {
    return PFM_ERR_NOINIT;
  }
  std::memset(&attributes, 0, sizeof attributes);
  attributes.size = sizeof attributes;
  pfm_perf_encode_arg_t argument = {};
  argument.attr = &attributes;
  argument.size = sizeof argument;
  const int levels = with_kernel ? PFM_PLM3 | PFM_PLM0 : PFM_PLM3;
  return pfm_get_os_event_encoding(event.c_str(), levels, PFM_OS_PERF_EVENT, &argument);
}

bool is_known(const std::string& event) {
  perf_event_attr attributes;
  return encode(event, true, attributes) == PFM_SUCCESS;
}

// This thread and those that it creates from now on, on any CPU. -1 with errno.
int open_counter(perf_event_attr& attributes) {
  attributes.disabled = 1;
  attributes.inherit = 1;
  attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  return static_cast<int>(
      syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

CounterReading read_counter(int descriptor) {
  CounterReading reading;
  if (read(descriptor, &reading, sizeof reading) != static_cast<ssize_t>(sizeof reading)) {
    throw_internal("performance counter: cannot be read: {}", describe_errno(errno));
  }
  return reading;
}

// What only the kernel does: without it they would read 0.
bool happens_in_kernel(const std::string& event) {
  return event == "context-switches" || event == "cpu-migrations";
}

std::string paranoid_level() {
  std::ifstream file("/proc/sys/kernel/perf_event_paranoid");
  std::string level;
  std::getline(file, level);
  return level;
}

}  // namespace

CounterGroup software_events() {
  return {"task-clock", "page-faults", "major-faults", "context-switches", "cpu-migrations"};
}

std::vector<CounterGroup> hardware_events() {
  std::vector<CounterGroup> groups = {{"cycles", "instructions", "task-clock"},
                                      {"cache-references", "cache-misses", "branch-misses"},
                                      {"PERF_COUNT_HW_CACHE_DTLB:READ:MISS"}};
  CounterGroup floating_point;
  std::ranges::copy_if(kFloatingPointEvents, std::back_inserter(floating_point), is_known);
  constexpr std::size_t kPerPass = 4;
  for (std::size_t i = 0; i < floating_point.size(); i += kPerPass) {
    const auto begin = floating_point.begin() + static_cast<std::ptrdiff_t>(i);
    const std::size_t count = std::min(kPerPass, floating_point.size() - i);
    groups.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(count));
  }
  return groups;
}

std::vector<CounterGroup> counter_groups(const std::string& text) {
  if (text == "none") {
    return {};
  }
  std::vector<CounterGroup> groups = {software_events()};
  if (text == "default") {
    for (CounterGroup& group : hardware_events()) {
      groups.push_back(std::move(group));
    }
    return groups;
  }
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    const std::string event = text.substr(begin, comma - begin);
    perf_event_attr attributes;
    if (const int status = encode(event, true, attributes); status != PFM_SUCCESS) {
      throw_bad_input("--counters: \"{}\": {}", event, pfm_strerror(status));
    }
    groups.push_back({event});  // a pass of its own: how many fit together depends on the CPU
    begin = comma + 1;
  }
  return groups;
}

Counters::Counters(const CounterGroup& events) {
  for (const std::string& event : events) {
    Counter counter{event, -1, "", {}};
    perf_event_attr attributes;
    if (const int status = encode(event, true, attributes); status != PFM_SUCCESS) {
      counter.reason = std::string("libpfm4: ") + pfm_strerror(status);
    } else {
      counter.descriptor = open_counter(attributes);
      int error_number = errno;
      // Unprivileged users may count their own code, not the kernel's on their behalf.
      if (counter.descriptor < 0 && error_number == EACCES && !happens_in_kernel(event) &&
          encode(event, false, attributes) == PFM_SUCCESS) {
        counter.descriptor = open_counter(attributes);
        error_number = errno;
        user_space_only_ = user_space_only_ || counter.descriptor >= 0;
      }
      if (counter.descriptor < 0) {
        counter.reason = explain_open_error(error_number, paranoid_level());
      }
    }
    counters_.push_back(std::move(counter));
  }
}

Counters::~Counters() {
  for (const Counter& counter : counters_) {
    if (counter.descriptor >= 0) {
      close(counter.descriptor);
    }
  }
}

Counters::Counters(Counters&& other) noexcept
    : counters_(std::exchange(other.counters_, {})), user_space_only_(other.user_space_only_) {}

bool Counters::is_open(const std::string& event) const {
  return std::ranges::any_of(counters_, [&](const Counter& counter) {
    return counter.event == event && counter.descriptor >= 0;
  });
}

CounterValues Counters::missing() const {
  CounterValues values;
  for (const Counter& counter : counters_) {
    if (counter.descriptor < 0) {
      values[counter.event] = missing_counter(counter.reason);
    }
  }
  return values;
}

void Counters::start() {
  for (Counter& counter : counters_) {
    if (counter.descriptor >= 0) {
      counter.start = read_counter(counter.descriptor);
      ioctl(counter.descriptor, PERF_EVENT_IOC_ENABLE, 0);
    }
  }
}

CounterValues Counters::stop() {
  for (const Counter& counter : counters_) {
    if (counter.descriptor >= 0) {
      ioctl(counter.descriptor, PERF_EVENT_IOC_DISABLE, 0);
    }
  }
  CounterValues values = missing();
  for (const Counter& counter : counters_) {
    if (counter.descriptor >= 0) {
      values[counter.event] =
          counter_value(difference(counter.start, read_counter(counter.descriptor)));
    }
  }
  return values;
}

std::string explain_open_error(int error_number, const std::string& paranoid) {
  switch (error_number) {
    case ENOENT:
    case EOPNOTSUPP:
    case ENODEV:
      return "this machine shows no PMU for it (a virtual machine needs its host to pass one on)";
    case EACCES:
      return "perf_event_paranoid is " + paranoid +
             ": as root, sysctl kernel.perf_event_paranoid=1";
    case EPERM:
      return "not permitted (seccomp, as containers have it): run with --cap-add PERFMON, or "
             "without the filter";
    case ENOSYS:
      return "the kernel is built without performance counters";
    case EMFILE:
      return "too many open files: ulimit -n";
    default:
      return describe_errno(error_number);
  }
}

std::string missing_hardware_counters() {
  const CounterValues missing = Counters({"cycles"}).missing();
  return missing.empty() ? "" : missing.at("cycles").reason;
}

}  // namespace voxmark
