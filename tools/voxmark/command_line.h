// What a command line is made of, for the commands that are written in it: commands, options,
// flags. Knows none of them. CLI11 does the reading, in command_line.cpp alone: its templates cost
// a compiler seconds in every file that sees them.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>

#include "base/error.h"

namespace CLI {  // NOLINT(readability-identifier-naming): not ours
class App;
class Option;
}  // namespace CLI

namespace voxmark {

// Runs after the whole command line has been read. May throw Error.
using Action = std::function<ExitCode()>;

// What is wrong with a text, "" for nothing.
using TextCheck = std::function<std::string(const std::string& text)>;

// An option or a flag of a command. A copy is the same option.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  // --help shows the value from before the command line was read.
  Option show_default();
  Option required();
  // The command line is refused that has this option and one of the others.
  Option excludes(std::initializer_list<Option> others);
  Option check(TextCheck check);
  Option in_range(int least, int most);
  // Its one text is a list.
  Option split_at(char delimiter);
  // It may stand alone, and may be given several times.
  Option optional_values();

  bool was_given() const;

 private:
  CLI::Option* option_;
};

// A command, whose options write to variables that live until its action has run. A copy is the
// same command.
class Command {
 public:
  Command(CLI::App* app, Action* chosen) : app_(app), chosen_(chosen) {}

  // One more word of the command line: "list", or "backends" of `list`.
  Command add_command(const std::string& name, const std::string& description);
  // `names`: "--batch", or "report" for one that is told by its place. The types are those at the
  // end of command_line.cpp.
  template <typename Value>
  Option add_option(const std::string& names, Value& value, const std::string& help);
  template <typename Value>
  Option add_flag(const std::string& name, Value& value, const std::string& help);
  // One that was added before.
  Option option(const std::string& name) const;
  void set_footer(const std::string& text);
  // What is done when this command was chosen.
  void set_action(Action action);

 private:
  CLI::App* app_;
  Action* chosen_;
};

class CommandLine {
 public:
  CommandLine(const std::string& program, const std::string& version,
              const std::string& description);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // The program itself, to which commands are added.
  Command& program() { return program_; }
  bool has_command(const std::string& name) const;

  // What the arguments ask for: nothing where they name no command. --help and --version are
  // answered here. Throws Error (bad_input).
  Action read(int argc, const char* const* argv);

 private:
  std::unique_ptr<CLI::App> app_;
  Action chosen_;
  Command program_;
};

}  // namespace voxmark
