// The whole interface between what is trained and how it is computed.
//
// A Backend turns a Program into an Executable; the Executable runs steps of it. Everything that
// leaves an Executable (loss, gradients, parameters, predictions) is right to tolerance, in the
// Program's own shapes and layouts; inside, a backend does what it likes. The harness (benches/)
// runs backends only through this file, and finds them by registry.h. The same options give the
// same bits, in this process or another.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/collectives.h"
#include "workloads/network/batch.h"
#include "workloads/network/precision.h"
#include "workloads/network/program.h"

namespace voxmark {

struct CompileOptions {
  Precision precision = Precision::fp32;
  // The team computes with exactly as many threads: neither OMP_NUM_THREADS nor the number of CPUs
  // changes it.
  int threads = 1;
  // Tensors besides parameters, optimizer state and parameter gradients that read() must reach
  // after run(): they are kept to the end of the step, which costs memory.
  std::vector<TensorId> readable;
  // Bytes that the plan should not pass. A backend that can trade time for memory then computes
  // tensors again instead of keeping them, as few as it needs, none where everything fits; the plan
  // tells what it reached. Without a limit it makes a trade of its own.
  std::optional<std::int64_t> memory_limit_bytes = std::nullopt;
  // How many processes compute the step, each on the program's images: loss, gradients and update
  // are those of all. `collectives` outlives the Executable; compile() needs it for two ranks or
  // more.
  int ranks = 1;
  Collectives* collectives = nullptr;
};

// What runs as one unit: one op, or several fused. Recorded in the report.
struct Stage {
  std::vector<OpId> ops;       // of the update, too; every op of the program is in some stage
  std::string implementation;  // "naive", "jit:avx512_core", "gemm", ...
  std::string layout;          // "ndhwc", "nCdhw16c", ...
  std::string isa;             // "avx2", "avx512_core_amx", "" where it does not apply
  bool recomputed = false;     // runs again, to bring back a tensor that was dropped
};

// One stay in the planned memory: of a tensor, of several that share their memory, or of scratch.
struct PlannedBuffer {
  std::vector<TensorId> tensors;  // the one that it is as large as first; empty: scratch
  std::int64_t bytes = 0;
  int first_step = 0;  // both ends inclusive; steps are those of MemoryPlan
  int last_step = 0;
};

// Bytes that an Executable allocates, by purpose. Pure: made without allocating a tensor.
struct MemoryPlan {
  std::map<std::string, std::int64_t> bytes;  // "parameters", "activations", "scratchpad", ...
  bool exact = true;  // false: an estimate, for instance of another machine's scratchpads
  // What computing dropped tensors again adds to the step's time, as a share of it; an estimate
  // from FLOPs and bytes moved.
  double extra_time_share = 0;
  // What lies in these bytes, and when. Empty where a backend does not tell.
  std::vector<PlannedBuffer> buffers = {};
  // The first op of everything that runs as one, in order. Empty: all buffers are alive at once.
  std::vector<OpId> steps = {};

  std::int64_t total_bytes() const;
};

// The purpose in a plan that shares memory between activations and their gradients: "activations"
// for both.
const char* purpose_of(TensorRole role);

// Per sample and output channel: what soft and hard Dice and accuracy are made of (DiceSums).
// All six are accumulated in double, and verified; the counts among them are exact.
struct ClassSums {
  double prediction_target = 0;  // sum p*t
  double prediction = 0;         // sum p
  double target = 0;             // sum t
  double target_hard = 0;        // sum t*r
  double hard = 0;               // sum r
  double correct = 0;            // voxels with r == t
};

struct StepResult {
  double loss = 0;
  std::vector<ClassSums> sums;  // (N, C)
};

// Told the seconds of each stage, by its index in stages(), of forward and backward only. An
// observed step is never a timing sample.
class StageObserver {
 public:
  virtual ~StageObserver() = default;
  virtual void stage(std::size_t index, double seconds) = 0;
};

// Called from one thread at a time, always the same. Every thread that computes flushes denormals
// to zero and takes them as zero (flush_denormals in arena.h), so that no backend is slowed down
// by numbers that another one drops.
class Executable {
 public:
  virtual ~Executable() = default;

  // Persistent tensors (parameters, moving statistics, optimizer state), in the Program's layout.
  // `values` has as many elements as the tensor. All start as zero. At any time: also between run()
  // and update(), which then goes on from what was set.
  virtual void set(TensorId id, std::span<const double> values) = 0;
  // Persistent tensors, parameter gradients of the last run(), and what `readable` named.
  virtual void read(TensorId id, std::span<double> values) const = 0;

  // Copies and reorders a batch in; timed apart from the step. It serves every run() until the next
  // load().
  virtual void load(const Batch& batch) = 0;
  // Forward, and backward in training mode; changes no persistent tensor. May be called again
  // without update(): the second run() then gives the first one's bits. The result is the
  // Executable's own and holds until the next run(): a step allocates nothing, not even this.
  virtual const StepResult& run(StageObserver* observer = nullptr) = 0;
  // Adam and moving statistics, by the gradients and statistics of the last run(): at most once
  // after each. Training programs only.
  virtual void update() = 0;

  virtual std::span<const Stage> stages() const = 0;
  virtual const MemoryPlan& plan() const = 0;
  // What compile() spent on touching its memory for the first time, in seconds; nothing where a
  // backend does not tell.
  virtual std::optional<double> touch_seconds() const { return std::nullopt; }
};

// Why a backend cannot run a program; data, not an exception. The case is then `skipped`.
struct Unsupported {
  std::string reason;
};

// The library that a backend computes with, as it is in this process.
struct BackendLibrary {
  std::string name;       // "oneDNN"
  std::string version;    // "2.6.3"
  std::string isa;        // the instruction sets that it uses here: "avx512_core_amx"
  std::string file_name;  // how its file's name begins: "libdnnl.so"; "" where it is compiled in
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  virtual std::string_view description() const = 0;  // one line for `voxmark list backends`
  // Nothing where all code is ours.
  virtual std::optional<BackendLibrary> library() const { return std::nullopt; }
  // The null backend computes nothing: its records are `overhead`, never a speed-up.
  virtual bool computes() const { return true; }
  virtual std::optional<Unsupported> unsupported(const Program& program,
                                                 const CompileOptions& options) const = 0;
  // These two are called with what is not unsupported(). Neither keeps a reference to the program:
  // what an Executable needs of it, it copies.
  //
  // Equals the plan() of what compile() would return, without allocating a tensor.
  virtual MemoryPlan plan(const Program& program, const CompileOptions& options) const = 0;
  // Allocates, touches and prepares everything: a run() afterwards allocates nothing. Throws Error
  // (cannot_here) where the system refuses the memory.
  virtual std::unique_ptr<Executable> compile(const Program& program,
                                              const CompileOptions& options) const = 0;
};

}  // namespace voxmark
