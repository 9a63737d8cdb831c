// voxmark phantom: writes a data set that needs no download and holds no patient.
#include "workloads/data_sets/phantom.h"

#include <memory>
#include <string>

#include "base/overwrite.h"
#include "tools/voxmark/subcommand.h"

namespace voxmark {

void add_phantom(CLI::App& app, Action& action) {
  struct Options {
    std::string folder;
    std::string image = to_string(PhantomOptions{}.dims);
    PhantomOptions phantom;
    bool overwrite = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("phantom", "Write a data set of drawn heads as NIfTI");
  command->add_option("folder", options->folder, "is made; Decathlon layout")->required();
  command->add_option("--cases", options->phantom.subjects, "heads")->capture_default_str();
  command->add_option("--image", options->image, "extents, 96 or 96x96x80")->capture_default_str();
  command->add_option("--seed", options->phantom.seed, "of the drawing")->capture_default_str();
  command->add_flag("--overwrite", options->overwrite, "write over the data set that is there");
  command->footer("Example: voxmark phantom /tmp/heads --cases 8 --image 96x96x80");
  command->callback([&action, options] {
    action = [options] {
      PhantomOptions phantom = options->phantom;
      if (phantom.subjects < 1) {
        throw_bad_input("--cases {}: expected 1 or more", phantom.subjects);
      }
      phantom.dims = parse_dims(options->image);
      check_overwrite("phantom", options->folder + "/dataset.json", options->overwrite);
      write_phantom_dataset(options->folder, phantom);
      fmt::print("{} cases of {} in {}\n", phantom.subjects, options->image, options->folder);
      return ExitCode::done;
    };
  });
}

}  // namespace voxmark
