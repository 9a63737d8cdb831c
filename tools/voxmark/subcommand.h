// What every subcommand's file exports: one function that adds its options to the command line and
// says what is to run when it is chosen.
//
//   void add_list(CLI::App& app, Action& action) {
//     auto options = std::make_shared<Options>();
//     CLI::App* command = app.add_subcommand("list", "...");
//     command->add_option("what", options->what, "...");
//     command->callback([&action, options] { action = [options] { return list(*options); }; });
//   }
//
// A new subcommand is one more line here and one more in main.cpp's table.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "base/error.h"

namespace voxmark {

// Runs after the whole command line has been read. May throw Error.
using Action = std::function<ExitCode()>;

void add_child(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_limits(CLI::App& app, Action& action);
void add_list(CLI::App& app, Action& action);
void add_noise(CLI::App& app, Action& action);
void add_phantom(CLI::App& app, Action& action);
void add_plan(CLI::App& app, Action& action);
void add_predict(CLI::App& app, Action& action);
void add_quickstart(CLI::App& app, Action& action);
void add_reproduce(CLI::App& app, Action& action);
void add_rerun(CLI::App& app, Action& action);
void add_run(CLI::App& app, Action& action);
void add_sysinfo(CLI::App& app, Action& action);
void add_train(CLI::App& app, Action& action);
void add_tricks(CLI::App& app, Action& action);
void add_validate(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);

}  // namespace voxmark
