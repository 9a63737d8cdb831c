// The flags that describe one step of the paper's model, the same in every subcommand that takes
// them: --image, --batch, --filters, --channels, --classes. And those that say how a data folder is
// read: --follow-links, --affine-tolerance; and how scores are taken: --surface-tolerance.
#pragma once

#include <cstdint>
#include <string>

#include "tools/voxmark/command_line.h"
#include "workloads/images/read_options.h"
#include "workloads/network/network.h"
#include "workloads/network/program.h"

namespace voxmark {

struct ModelOptions {
  std::string image = "64x64x64";
  std::int64_t batch = 1;
  UnetOptions unet;
};

void add_model_options(Command command, ModelOptions& options);

void add_read_options(Command command, ReadOptions& reading);

void add_surface_option(Command command, double& tolerance);

// The step's program. Throws Error (bad_input) naming the flag that does not make sense.
Program lower_model(const ModelOptions& options, Mode mode);

}  // namespace voxmark
