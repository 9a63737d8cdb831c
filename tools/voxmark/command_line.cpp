#include "tools/voxmark/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace voxmark {
namespace {

// CLI11 takes -1 for a large unsigned number.
void refuse_negative_numbers(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    for (CLI::Option* option : command->get_options()) {
      if (option->get_type_name() != "UINT") {
        continue;
      }
      option->check([](const std::string& text) {
        return text.starts_with('-') ? text + ", expected 0 or more" : std::string();
      });
    }
    refuse_negative_numbers(*command);
  }
}

// "Could not convert: --epochs = two" says what was found, not what was expected.
std::string described(const CLI::ParseError& error) {
  const bool is_number = dynamic_cast<const CLI::ConversionError*>(&error) != nullptr;
  return std::string(error.what()) + (is_number ? ", expected a number" : "");
}

}  // namespace

Option Option::show_default() {
  option_->capture_default_str();
  return *this;
}

Option Option::required() {
  option_->required();
  return *this;
}

Option Option::excludes(std::initializer_list<Option> others) {
  for (const Option& other : others) {
    option_->excludes(other.option_);
  }
  return *this;
}

Option Option::check(TextCheck check) {
  option_->check(std::move(check));
  return *this;
}

Option Option::in_range(int least, int most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

Option Option::split_at(char delimiter) {
  option_->delimiter(delimiter);
  return *this;
}

Option Option::optional_values() {
  option_->expected(0, 1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return *this;
}

bool Option::was_given() const { return option_->count() > 0; }

Command Command::add_command(const std::string& name, const std::string& description) {
  app_->require_subcommand(0, 1);  // 1 would complain of a missing one where a wrong one was given
  return {app_->add_subcommand(name, description), chosen_};
}

template <typename Value>
Option Command::add_option(const std::string& names, Value& value, const std::string& help) {
  return Option(app_->add_option(names, value, help));
}

template <typename Value>
Option Command::add_flag(const std::string& name, Value& value, const std::string& help) {
  return Option(app_->add_flag(name, value, help));
}

Option Command::option(const std::string& name) const { return Option(app_->get_option(name)); }

void Command::set_footer(const std::string& text) { app_->footer(text); }

void Command::set_action(Action action) {
  app_->callback([chosen = chosen_, action = std::move(action)] {
    if (!*chosen) {  // CLI11 calls the innermost command's first
      *chosen = action;
    }
  });
}

CommandLine::CommandLine(const std::string& program, const std::string& version,
                         const std::string& description)
    : app_(std::make_unique<CLI::App>(description, program)), program_(app_.get(), &chosen_) {
  app_->set_version_flag("--version", version);
}

CommandLine::~CommandLine() = default;

bool CommandLine::has_command(const std::string& name) const {
  const auto has_name = [&](const CLI::App* command) { return command->get_name() == name; };
  return !std::as_const(*app_).get_subcommands(has_name).empty();
}

Action CommandLine::read(int argc, const char* const* argv) {
  refuse_negative_numbers(*app_);
  try {
    app_->parse(argc, argv);
  } catch (const CLI::Success& answer) {  // --help, --version
    app_->exit(answer);
    return [] { return ExitCode::done; };
  } catch (const CLI::ParseError& error) {
    throw Error(ExitCode::bad_input, described(error));
  }
  return chosen_;
}

// Every type that an option or a flag is read into.
template Option Command::add_option(const std::string&, std::string&, const std::string&);
template Option Command::add_option(const std::string&, int&, const std::string&);
template Option Command::add_option(const std::string&, std::int64_t&, const std::string&);
template Option Command::add_option(const std::string&, std::uint64_t&, const std::string&);
template Option Command::add_option(const std::string&, double&, const std::string&);
template Option Command::add_option(const std::string&, std::optional<std::string>&,
                                    const std::string&);
template Option Command::add_option(const std::string&, std::optional<int>&, const std::string&);
template Option Command::add_option(const std::string&, std::optional<std::uint64_t>&,
                                    const std::string&);
template Option Command::add_option(const std::string&, std::vector<std::string>&,
                                    const std::string&);
template Option Command::add_flag(const std::string&, bool&, const std::string&);
template Option Command::add_flag(const std::string&, std::optional<std::string>&,
                                  const std::string&);

}  // namespace voxmark
