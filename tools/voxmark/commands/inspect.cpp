// voxmark inspect: what was read of an image or a data set.
#include "workloads/data_sets/inspect.h"

#include <memory>
#include <string>

#include "base/json.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/subcommand.h"

namespace voxmark {

void add_inspect(Command program) {
  struct Options {
    std::string path;
    std::uint64_t seed = 1;
    ReadOptions reading;
    bool deep = false;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  Command command = program.add_command("inspect", "What is in a NIfTI image or a data set");
  command
      .add_option("path", options->path,
                  "FILE.nii, FILE.nii.gz, or a data set: its folder or its datalist")
      .required();
  command.add_option("--seed", options->seed, "of the split into training, validation and test")
      .show_default();
  command.add_flag("--deep", options->deep,
                   "of a data set: read every voxel, as train does before it starts");
  add_read_options(command, options->reading);
  command.add_flag("--json", options->json, "facts as JSON");
  command.set_footer("Example: voxmark inspect imagesTr/BRATS_004.nii.gz --json");
  command.set_action([options] {
    const Json facts = inspect(options->path, options->seed, options->reading, options->deep);
    fmt::print("{}", options->json ? dump_json(facts, 2) + "\n" : inspect_text(facts));
    return ExitCode::done;
  });
}

}  // namespace voxmark
