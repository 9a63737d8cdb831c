// voxmark phantom: writes a data set that needs no download and holds no patient.
#include "workloads/data_sets/phantom.h"

#include <memory>
#include <string>

#include "base/overwrite.h"
#include "tools/voxmark/subcommand.h"

namespace voxmark {

void add_phantom(Command program) {
  struct Options {
    std::string folder;
    std::string image = to_string(PhantomOptions{}.dims);
    PhantomOptions phantom;
    bool overwrite = false;
  };
  const auto options = std::make_shared<Options>();
  Command command = program.add_command("phantom", "Write a data set of drawn heads as NIfTI");
  command.add_option("folder", options->folder, "is made; Decathlon layout").required();
  command.add_option("--cases", options->phantom.subjects, "heads").show_default();
  command.add_option("--image", options->image, "extents, 96 or 96x96x80").show_default();
  command.add_option("--seed", options->phantom.seed, "of the drawing").show_default();
  command.add_flag("--overwrite", options->overwrite, "write over the data set that is there");
  command.set_footer("Example: voxmark phantom /tmp/heads --cases 8 --image 96x96x80");
  command.set_action([options] {
    PhantomOptions phantom = options->phantom;
    if (phantom.subjects < 1) {
      throw_bad_input("--cases {}: expected 1 or more", phantom.subjects);
    }
    phantom.dims = parse_dims(options->image);
    check_overwrite("phantom", options->folder + "/dataset.json", options->overwrite);
    write_phantom_dataset(options->folder, phantom);
    fmt::print("{} cases of {} in {}\n", phantom.subjects, options->image, options->folder);
    return ExitCode::done;
  });
}

}  // namespace voxmark
