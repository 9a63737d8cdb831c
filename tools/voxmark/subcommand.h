// What every subcommand's file exports: one function that adds its options to the command line and
// says what is to run when it is chosen.
//
//   void add_list(Command program) {
//     auto options = std::make_shared<Options>();
//     Command command = program.add_command("list", "...");
//     command.add_option("what", options->what, "...");
//     command.set_action([options] { return list(*options); });
//   }
//
// A new subcommand is one more line here and one more in main.cpp's table.
#pragma once

#include "tools/voxmark/command_line.h"

namespace voxmark {

void add_child(Command program);
void add_doctor(Command program);
void add_inspect(Command program);
void add_limits(Command program);
void add_list(Command program);
void add_noise(Command program);
void add_phantom(Command program);
void add_plan(Command program);
void add_predict(Command program);
void add_quickstart(Command program);
void add_reproduce(Command program);
void add_rerun(Command program);
void add_run(Command program);
void add_sysinfo(Command program);
void add_train(Command program);
void add_tricks(Command program);
void add_validate(Command program);
void add_verify(Command program);

}  // namespace voxmark
