// One measurement by name: what is trained, on what, by which backend, for how many steps.
// The same from the command line, a suite file, the child protocol and a report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "workloads/images/read_options.h"
#include "workloads/network/batch.h"
#include "workloads/network/network.h"
#include "workloads/network/precision.h"

namespace voxmark {

// What each member means, and what it may be: workloads/cases/case_fields.cpp.
struct CaseSpec {
  std::string backend;
  Dims image{64, 64, 64};
  std::int64_t batch = 1;
  UnetOptions network;
  Precision precision = Precision::fp32;
  int threads = 1;
  int ranks = 1;
  std::string batch_norm = "global";
  int copies = 1;  // processes that do it at once, each with its own threads
  std::optional<std::int64_t> memory_limit_bytes;
  std::string isa;  // "": what this CPU has
  std::string data = "synthetic";
  ReadOptions reading;
  std::uint64_t seed = 1;
  int steps = 5;
  int warmup = 2;
  int process = 0;
};

// Throws Error (bad_input) naming the field, what was expected and what was found. Does not look
// for the backend or the data.
void check(const CaseSpec& spec);

// Without the optional fields that are as in CaseSpec{}.
Json to_json(const CaseSpec& spec);
// Every field must be there but the optional ones, and no other. `name` stands in messages. Throws
// Error (bad_input).
CaseSpec case_from_json(const Json& json, const std::string& name);

// The command that measures this case again, alone.
std::string reproduce_command(const CaseSpec& spec);

// "onednn 64x64x64 batch 1 fp32": what a person calls the case.
std::string describe(const CaseSpec& spec);

}  // namespace voxmark
