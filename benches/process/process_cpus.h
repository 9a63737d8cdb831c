// The CPUs of this process, whatever its OpenMP runtime has done to the thread that asks: with
// OMP_PROC_BIND, OMP_PLACES or GOMP_CPU_AFFINITY libgomp holds the main thread on its first place
// before main() begins.
#pragma once

#include <sched.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace voxmark {

// Those of this thread, and of all places of the OpenMP runtime that the kernel knows: libgomp
// takes GOMP_CPU_AFFINITY's numbers unseen. Nothing where the kernel does not tell (more CPUs than
// a mask has bits, a sandbox).
std::optional<cpu_set_t> process_cpus();

// Throws Error (bad_input) naming the variable where libgomp would start one of `threads`
// threads on a CPU that is not there: it then ends the process.
void check_places(int threads);

// The variables that hold threads on CPUs.
constexpr std::array<const char*, 4> kBindingVariables = {"GOMP_CPU_AFFINITY", "KMP_AFFINITY",
                                                          "OMP_PLACES", "OMP_PROC_BIND"};

// Behind a message: " (OMP_PLACES={0}, OMP_PROC_BIND=true)" as they are set; "" where none is.
std::string by_variables();

// Whether a value of one of them switches binding off: false, none or disabled, as the runtimes
// read them ("verbose,none").
bool asks_for_none(std::string value);
// Whether it asks that threads be held somewhere. A blank value asks for nothing.
bool asks_for_binding(const std::string& value);

cpu_set_t set_of(const std::vector<int>& cpus);

// "0-3,8", as the kernel writes it.
std::string cpu_list_text(const cpu_set_t& cpus);

}  // namespace voxmark
